//! A scripted HTTP/1.1 server on a real loopback socket.
//!
//! It does what HTTP mocks cannot: it sends a body in pieces, stays silent, lies about the length,
//! resets, sends garbage, and cuts the connection after any byte.
//!
//! It runs as tasks in the runtime of the test, without threads of its own, so it works with
//! `#[tokio::test(start_paused = true)]`: a paused clock jumps to the next timer only when no task
//! can run and no socket is ready. Two things make that safe. Linux hands over loopback bytes within
//! the call that writes them, so none are ever on their way. And since tokio 1.53.3 the clock does
//! not jump in the moment in which a socket wakes a task (pull request 8595); before, a timeout
//! around any read fired at once. The dev-dependency must ask for that version.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};

/// Small, so that a peer that does not read stops the server after some hundred kilobytes.
const SEND_BUFFER: u32 = 64 * 1024;
/// How many turns the other tasks get between two writes that are to be seen apart.
const TURNS: usize = 8;

/// A response, and how it goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    steps: Vec<Step>,
    in_pieces: bool,
    byte_wise: bool,
    at_once: bool,
    framing: Option<Framing>,
    raw: bool,
    silent: bool,
    hang_after: Option<usize>,
    end_after: Option<usize>,
    reset: bool,
    close: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Write { bytes: Bytes, times: usize },
    Pause(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
    CloseDelimited,
}

impl Reply {
    /// A response without a body and without a content type.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// 200 with a JSON body.
    pub fn ok_json(value: &Value) -> Self {
        Self::status(200).json(value)
    }

    /// 200 with an event stream, the body as given.
    pub fn sse(body: &str) -> Self {
        Self::status(200).header("content-type", "text/event-stream").body(body.to_owned())
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the whole body, sent with its length.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps = vec![Step::Write { bytes: bytes.into(), times: 1 }];
        self
    }

    /// Sets a JSON body and its content type.
    pub fn json(self, value: &Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// Adds a piece to the body, flushed on its own.
    ///
    /// A body with pieces is sent chunked, one chunk a piece, unless another framing is asked for.
    pub fn piece(self, bytes: impl Into<Bytes>) -> Self {
        self.repeat(bytes, 1)
    }

    /// Adds the same piece many times. Each is written as the peer takes them.
    pub fn repeat(mut self, bytes: impl Into<Bytes>, times: usize) -> Self {
        self.steps.push(Step::Write { bytes: bytes.into(), times });
        self.in_pieces = true;
        self
    }

    /// Waits between the pieces before and after, on tokio's clock.
    pub fn pause(mut self, duration: Duration) -> Self {
        self.steps.push(Step::Pause(duration));
        self
    }

    /// Flushes each byte of the body apart.
    pub fn byte_wise(mut self) -> Self {
        self.byte_wise = true;
        self
    }

    /// Writes all pieces, and the end of the body, before anybody can read the first.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Announces this length, whatever the body is.
    pub fn content_length(mut self, length: usize) -> Self {
        self.framing = Some(Framing::Length(length));
        self
    }

    /// Announces no length: the body ends with the connection.
    pub fn close_delimited(mut self) -> Self {
        self.framing = Some(Framing::CloseDelimited);
        self
    }

    /// Closes the connection after this many bytes of the whole response, head and framing included.
    ///
    /// A shorter response is sent whole, and the connection is closed all the same. So `usize::MAX`
    /// makes a server that closes a kept-alive connection unannounced.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.end_after = Some(bytes);
        self
    }

    /// Like [`cut_after`](Self::cut_after), but the peer gets a reset. With 0, it gets the reset once
    /// its request was read.
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.reset = true;
        self.cut_after(bytes)
    }

    /// Sends this many bytes of the body, then stays silent with the connection open.
    ///
    /// A shorter body is sent whole, but its end (the last chunk) is not.
    pub fn hang_after(mut self, body_bytes: usize) -> Self {
        self.hang_after = Some(body_bytes);
        self
    }

    /// Answers nothing at all: the request is read, then the connection stays open and silent.
    pub fn hang_before_headers(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Sends these bytes in place of a response, then closes. All of them count as body.
    pub fn garbage(mut self, bytes: impl Into<Bytes>) -> Self {
        self.raw = true;
        self.body(bytes).close_delimited()
    }

    /// With `false`: announces the end of the connection, and closes it after the response.
    pub fn keep_alive(mut self, keep_alive: bool) -> Self {
        self.close = !keep_alive;
        self
    }

    fn has_body(&self) -> bool {
        !matches!(self.status, 100..200 | 204 | 304)
    }

    fn framing(&self) -> Framing {
        let length = |step: &Step| match step {
            Step::Write { bytes, times } => bytes.len() * times,
            Step::Pause(_) => 0,
        };
        match self.framing {
            Some(framing) => framing,
            None if self.in_pieces => Framing::Chunked,
            None => Framing::Length(self.steps.iter().map(length).sum()),
        }
    }

    /// A cut is not announced.
    fn announces_end(&self) -> bool {
        self.close || self.framing == Some(Framing::CloseDelimited)
    }

    fn ends_connection(&self) -> bool {
        self.announces_end() || self.end_after.is_some()
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} \r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match self.framing() {
            _ if !self.has_body() => {}
            Framing::Length(length) => head += &format!("content-length: {length}\r\n"),
            Framing::Chunked => head += "transfer-encoding: chunked\r\n",
            Framing::CloseDelimited => {}
        }
        if self.announces_end() {
            head += "connection: close\r\n";
        }
        head + "\r\n"
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path and the query, as they stood in the request line.
    pub target: String,
    /// The headers in their order, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its chunks.
    pub body: Bytes,
    /// When the head was complete.
    pub at: Instant,
    /// The number of the connection it came on, from 0.
    pub connection: usize,
}

impl Recorded {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, parsed as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body of the request is JSON")
    }
}

/// The server. It stops, and all its connections close, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Starts a server that answers each request with the next reply. The last one repeats.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        assert!(!replies.is_empty(), "a server needs a reply");
        let listener = listen().expect("a loopback port can be listened on");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared { answering: watch::Sender::new(None), state: Mutex::default(), replies });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, shared.clone()));
        Self { address, shared, _tasks: tasks }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> String {
        self.url() + "/v1"
    }

    /// The requests that arrived whole so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.clone()
    }

    /// The time between each request and the next.
    pub fn delays(&self) -> Vec<Duration> {
        let requests = self.requests();
        requests.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.shared.state().open
    }

    /// How many bytes of bodies the kernel took so far, without heads and framing.
    pub fn bytes_written(&self) -> usize {
        self.shared.state().bytes_written
    }

    /// Resolves when the connection that was answered last has ended.
    ///
    /// While the reply hangs or streams, only the peer can end it. Where nothing was answered yet,
    /// this waits for the first request.
    pub async fn closed(&self) {
        let mut answering = self.shared.answering.subscribe();
        let Ok(Some(mut alive)) = answering.wait_for(Option::is_some).await.map(|it| it.clone()) else {
            return;
        };
        // Nothing is ever sent: the channel closes with the connection.
        while alive.changed().await.is_ok() {}
    }
}

#[derive(Debug)]
struct Shared {
    replies: Vec<Reply>,
    /// Is alive as long as the connection that was answered last.
    answering: watch::Sender<Option<watch::Receiver<()>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Recorded>,
    connections: usize,
    open: usize,
    bytes_written: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the request, and says what to answer.
    fn record(&self, request: Recorded) -> &Reply {
        let requests = &mut self.state().requests;
        let turn = requests.len().min(self.replies.len() - 1);
        requests.push(request);
        &self.replies[turn]
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // The accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, which ends the connections.
    let mut serving = JoinSet::new();
    loop {
        // A connection that broke before it was accepted is none.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let mut state = shared.state();
        let number = state.connections;
        state.connections += 1;
        state.open += 1;
        drop(state);
        let shared = shared.clone();
        serving.spawn(async move {
            let alive = watch::Sender::new(());
            // An error means that the peer went away, sent no HTTP, or was cut off by the script.
            let _ = serve(stream, number, &shared, &alive).await;
            shared.state().open -= 1;
            drop(alive);
        });
    }
}

/// Answers the requests of a connection until one side ends it.
async fn serve(mut stream: TcpStream, number: usize, shared: &Shared, alive: &watch::Sender<()>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reading, writing) = stream.split();
    let mut input = Input { half: reading, buffer: BytesMut::new() };
    let mut output = Output { half: writing, shared, until_end: 0, until_hang: 0, byte_wise: false, at_once: false };
    loop {
        let request = input.request(number).await?;
        let reply = shared.record(request);
        shared.answering.send_replace(Some(alive.subscribe()));
        // A peer that closes its writing side counts as gone.
        let written = tokio::select! {
            biased;
            written = output.reply(reply) => written,
            () = input.end() => return Ok(()),
        };
        if reply.reset {
            // Else the reset could overtake what was written.
            let_the_peer_read().await;
            return output.half.as_ref().set_zero_linger();
        }
        written?;
        if reply.ends_connection() {
            return Ok(());
        }
    }
}

/// What the peer sends.
struct Input<'connection> {
    half: ReadHalf<'connection>,
    buffer: BytesMut,
}

impl Input<'_> {
    /// Reads one request. The end of the connection is an error, as is what is not HTTP.
    async fn request(&mut self, connection: usize) -> io::Result<Recorded> {
        let first = self.line().await?;
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let at = Instant::now();
        let mut request = Recorded { method, target, headers, body: Bytes::new(), at, connection };
        request.body = if request.header("transfer-encoding").is_some() {
            self.chunks().await?
        } else {
            let length = request.header("content-length").unwrap_or("0");
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            self.exactly(length).await?
        };
        Ok(request)
    }

    async fn chunks(&mut self) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                // Trailers may follow.
                while !self.line().await?.is_empty() {}
                return Ok(body.freeze());
            }
            body.extend_from_slice(&self.exactly(size).await?);
            self.line().await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(length) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(length + 2);
                return Ok(String::from_utf8_lossy(&line[..length]).into_owned());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Bytes> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn more(&mut self) -> io::Result<()> {
        let count = self.half.read_buf(&mut self.buffer).await?;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Resolves when the peer has closed. What it sends until then is kept for the next request.
    async fn end(&mut self) {
        while self.more().await.is_ok() {}
    }
}

/// What the peer is sent.
struct Output<'connection> {
    half: WriteHalf<'connection>,
    shared: &'connection Shared,
    /// How many bytes may still be written before the connection ends.
    until_end: usize,
    /// How many bytes of the body may still be written before the silence.
    until_hang: usize,
    byte_wise: bool,
    at_once: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// The head, and what stands around the chunks.
    Framing,
    Body,
}

impl Output<'_> {
    /// Writes a reply as far as its script goes. Does not return when that ends in silence. Where it
    /// ends the connection early, this is an error, as if the peer had ended it.
    async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        self.until_end = reply.end_after.unwrap_or(usize::MAX);
        self.until_hang = reply.hang_after.unwrap_or(usize::MAX);
        self.byte_wise = reply.byte_wise;
        self.at_once = reply.at_once;
        if reply.silent {
            pending::<()>().await;
        }
        if !reply.raw {
            self.write(reply.head().as_bytes(), Part::Framing).await?;
        }
        if !reply.has_body() {
            return Ok(());
        }
        let chunked = reply.framing() == Framing::Chunked;
        for step in &reply.steps {
            match step {
                Step::Pause(duration) => sleep(*duration).await,
                Step::Write { bytes, times } => {
                    for _ in 0..*times {
                        self.piece(bytes, chunked).await?;
                    }
                }
            }
        }
        if reply.hang_after.is_some() {
            pending::<()>().await;
        }
        if chunked {
            self.write(b"0\r\n\r\n", Part::Framing).await?;
        }
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8], chunked: bool) -> io::Result<()> {
        // An empty chunk would end the body.
        if bytes.is_empty() {
            return Ok(());
        }
        if chunked {
            let size = format!("{:x}\r\n", bytes.len());
            self.write(size.as_bytes(), Part::Framing).await?;
        }
        self.write(bytes, Part::Body).await?;
        if chunked {
            self.write(b"\r\n", Part::Framing).await?;
        }
        if !self.at_once {
            let_the_peer_read().await;
        }
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8], part: Part) -> io::Result<()> {
        loop {
            if self.until_end == 0 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let mut most = bytes.len().min(self.until_end);
            if part == Part::Body {
                if self.until_hang == 0 {
                    pending::<()>().await;
                }
                most = most.min(self.until_hang);
                if self.byte_wise {
                    most = 1;
                }
            }
            // As much as the kernel takes.
            let count = self.half.write(&bytes[..most]).await?;
            bytes = &bytes[count..];
            self.until_end -= count;
            if part == Part::Body {
                self.until_hang -= count;
                self.shared.state().bytes_written += count;
                if self.byte_wise {
                    let_the_peer_read().await;
                }
            }
        }
    }
}

/// Gives a client in this runtime the time to take what was written, so that it sees this apart from
/// what comes next. Several turns, because clients pass bytes on from task to task.
async fn let_the_peer_read() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}
