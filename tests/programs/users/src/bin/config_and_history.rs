//! Requests from YAML or TOML, and a conversation in SQLite.

use anyhow::{Context, Result};
use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use rusqlite::Connection;

const CONFIG: &str = "
model: gpt-6-luna
temperature: 0.2
messages:
  - { role: system, content: Be brief. }
";

fn read_config(text: &str, is_toml: bool) -> Result<ChatRequest> {
    let request: ChatRequest = if is_toml { toml::from_str(text)? } else { serde_yaml::from_str(text)? };
    request.check().context("the configuration has mistakes")?;
    Ok(request)
}

fn open(path: &str) -> Result<Connection> {
    let db = Connection::open(path)?;
    db.execute_batch("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, conversation TEXT, json TEXT)")?;
    Ok(db)
}

fn store(db: &Connection, conversation: &str, message: &Message) -> Result<()> {
    let json = serde_json::to_string(message)?;
    db.execute("INSERT INTO messages (conversation, json) VALUES (?1, ?2)", (conversation, json))?;
    Ok(())
}

fn load(db: &Connection, conversation: &str) -> Result<Vec<Message>> {
    let mut rows = db.prepare("SELECT json FROM messages WHERE conversation = ?1 ORDER BY id")?;
    let rows = rows.query_map([conversation], |row| row.get::<_, String>(0))?;
    rows.map(|json| Ok(serde_json::from_str(&json?)?)).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    let (client, db) = (Client::from_env()?, open("chat.db")?);
    let mut request = read_config(CONFIG, false)?;
    request.messages.extend(load(&db, "rivers")?);
    let question = Message::user(std::env::args().nth(1).context("usage: config_and_history QUESTION")?);
    let response = client.chat().create(request.message(question.clone())).await?;
    println!("{}", response.text());
    // Not before the call: if it fails, the conversation would keep a question without an answer.
    store(&db, "rivers", &question)?;
    store(&db, "rivers", &response.into_message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversation_is_equal_after_the_database_and_toml() {
        let db = open(":memory:").unwrap();
        let messages = [Message::user("Name a river."), Message::assistant("The Nile.")];
        messages.iter().for_each(|message| store(&db, "rivers", message).unwrap());
        assert_eq!(load(&db, "rivers").unwrap(), messages);
        let request = read_config(CONFIG, false).unwrap();
        assert_eq!(read_config(&toml::to_string(&request).unwrap(), true).unwrap(), request);
    }
}
