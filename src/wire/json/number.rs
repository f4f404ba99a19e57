//! Numbers: digits are read eight at a time, and floats are the nearest ones.

use super::{Json, NotJson, Result, Token};

/// So many digits fit into a u64, whatever they are.
const MOST_DIGITS: usize = 19;

/// Powers of ten that an f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl<'de> Json<'de> {
    /// Reads digits on top of a number.
    #[inline(always)]
    fn digits(&mut self, number: &mut u64) {
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (mut sum, mut digits) = (*number, 0);
        while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
            let Some(eight) = eight_digits(u64::from_le_bytes(*eight)) else { break };
            sum = sum.wrapping_mul(100_000_000).wrapping_add(eight);
            digits += 8;
            rest = behind;
        }
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        }
        *number = sum;
        self.at += digits;
    }

    /// Reads a number, which comes next: compiled once, where [`float`](Self::float) is a part of its caller's loop.
    pub(super) fn number(&mut self) -> Result<Token<'de>> {
        self.any_number()
    }

    /// Reads a number, which comes next, as a float.
    #[inline]
    pub(crate) fn float(&mut self) -> Result<f64> {
        Ok(match self.any_number()? {
            Token::Float(number) => number,
            Token::Unsigned(number) => number as f64,
            Token::Signed(number) => number as f64,
            _ => return Err(NotJson),
        })
    }

    #[inline(always)]
    fn any_number(&mut self) -> Result<Token<'de>> {
        let start = self.at;
        let is_negative = self.byte(start) == Some(b'-');
        self.at += usize::from(is_negative);
        let whole = self.at;
        let mut number: u64 = 0;
        // Mostly few: what is in front of a point.
        while let Some(digit) = self.byte(self.at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        let digits = self.at - whole;
        if digits == 0 || digits > 1 && self.byte(whole) == Some(b'0') {
            return Err(NotJson);
        }
        match self.byte(self.at) {
            Some(b'.' | b'e' | b'E') => {}
            _ if digits > MOST_DIGITS => {
                let token = self.text.get(start..self.at).unwrap_or_default();
                if let Ok(number) = token.parse() {
                    return Ok(Token::Unsigned(number));
                }
            }
            _ if !is_negative => return Ok(Token::Unsigned(number)),
            // A negative zero is a float.
            _ if number > 0 && number <= 1 << 63 => return Ok(Token::Signed((number as i64).wrapping_neg())),
            _ => {}
        }
        self.fraction(start, is_negative, number, digits).map(Token::Float)
    }

    /// The rest of a number that is no integer.
    #[inline(always)]
    fn fraction(&mut self, start: usize, is_negative: bool, mut number: u64, digits: usize) -> Result<f64> {
        let mut exponent = 0;
        if self.byte(self.at) == Some(b'.') {
            self.at += 1;
            let point = self.at;
            self.digits(&mut number);
            exponent = self.at - point;
            if exponent == 0 {
                return Err(NotJson);
            }
        }
        let is_plain = !matches!(self.byte(self.at), Some(b'e' | b'E'));
        if is_plain && digits + exponent <= MOST_DIGITS && number < 1 << 53 {
            if let Some(power) = POWERS.get(exponent) {
                // Both are exact, so that the quotient is the nearest float.
                let float = number as i64 as f64 / power;
                return Ok(if is_negative { -float } else { float });
            }
        }
        self.long_float(start, is_plain)
    }

    #[cold]
    #[inline(never)]
    fn long_float(&mut self, start: usize, is_plain: bool) -> Result<f64> {
        if !is_plain {
            self.at += 1;
            if matches!(self.byte(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            let digits = self.at;
            self.digits(&mut 0);
            if self.at == digits {
                return Err(NotJson);
            }
        }
        let token = self.text.get(start..self.at).ok_or(NotJson)?;
        token.parse().ok().filter(|float: &f64| float.is_finite()).ok_or(NotJson)
    }
}

/// The number that eight bytes write, if all are digits: pairs, then fours, then all eight at once.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const SIXES: u64 = 0x0606_0606_0606_0606;
    const HIGH_HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    // A digit is 0x3_, and stays one when six are added: 0x3A and above do not.
    if word & HIGH_HALVES != THREES || word.wrapping_add(SIXES) & HIGH_HALVES != THREES {
        return None;
    }
    let pairs = ((word & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(2561) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(42_949_672_960_001) >> 32)
}
