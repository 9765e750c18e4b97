//! Modbus TCP requests and answers as bytes, after the Modbus application protocol V1.1b3: pure, so that any bytes can be tried.
//!
//! ```text
//!  bytes ──► header: transaction(2) protocol(2) = 0 length(2) unit(1) ──► function, data ──► answer, or exception 1, 2, 3
//!              └─ no Modbus: Broken, the connection has to end (nothing says where the next request begins)
//! ```

/// Bytes of the header in front of the function code.
const HEADER: usize = 7;
/// Bytes of the longest request or answer with its header.
pub(super) const MAX_ADU: usize = 260;
/// What one request may ask for, by the standard.
const MAX_READ_BITS: u16 = 2000;
const MAX_READ_WORDS: u16 = 125;
const MAX_WRITE_BITS: u16 = 1968;
const MAX_WRITE_WORDS: u16 = 123;

/// Why a request is refused, with its code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    /// Illegal function: not served, or not allowed.
    Function = 1,
    /// Illegal data address.
    Address = 2,
    /// Illegal data value: a quantity, a length or a value that no device could take.
    Value = 3,
}

/// What is read and written. Quantities are within the standard's limits when these are called.
pub(super) trait Device {
    /// `count` registers from `at` on.
    fn registers(&self, at: u16, count: u16) -> Result<Vec<u16>, Exception>;
    /// `count` coils (`coils`) or discrete inputs from `at` on.
    fn bits(&self, at: u16, count: u16, coils: bool) -> Result<Vec<bool>, Exception>;
    /// Writes registers from `at` on.
    fn write_registers(&self, at: u16, words: &[u16]) -> Result<(), Exception>;
    /// Writes coils from `at` on.
    fn write_coils(&self, at: u16, on: &[bool]) -> Result<(), Exception>;
}

/// What the bytes of a connection call for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The request is not complete yet.
    More,
    /// A request of `used` bytes, answered.
    Answer {
        /// Bytes of the request.
        used: usize,
        /// The whole answer.
        bytes: Vec<u8>,
        /// Function code and exception, if it was refused.
        refused: Option<(u8, Exception)>,
    },
    /// This is no Modbus TCP.
    Broken(&'static str),
}

/// Answers the request at the beginning of `buffer`.
pub(super) fn next(buffer: &[u8], device: &dyn Device) -> Next {
    let word = |at: usize| Some(u16::from_be_bytes([*buffer.get(at)?, *buffer.get(at + 1)?]));
    if word(2).is_some_and(|protocol| protocol != 0) {
        return Next::Broken("its protocol identifier is not 0");
    }
    let Some(length) = word(4) else { return Next::More };
    // The unit identifier and the function code at least; 253 bytes of function and data at most.
    if !(2..=254).contains(&length) {
        return Next::Broken("its length is not that of a Modbus request");
    }
    let used = HEADER - 1 + usize::from(length);
    let Some(request) = buffer.get(..used) else { return Next::More };
    let (header, pdu) = request.split_at(HEADER);
    let function = pdu.first().copied().unwrap_or_default();
    let (body, refused) = match answer(function, pdu.get(1..).unwrap_or_default(), device) {
        Ok(mut data) => {
            data.insert(0, function);
            (data, None)
        }
        Err(exception) => (vec![function | 0x80, exception as u8], Some((function, exception))),
    };
    // Transaction, protocol and unit identifier come back as they were.
    let mut bytes = header.to_vec();
    bytes[4..6].copy_from_slice(&(body.len() as u16 + 1).to_be_bytes());
    bytes.extend(body);
    Next::Answer { used, bytes, refused }
}

/// What follows the function code in the answer.
fn answer(function: u8, data: &[u8], device: &dyn Device) -> Result<Vec<u8>, Exception> {
    match function {
        1 | 2 => {
            let (at, count) = two_words(data)?;
            limited(count, MAX_READ_BITS)?;
            let bits = device.bits(at, count, function == 1)?;
            Ok(counted(bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |all, on| all << 1 | u8::from(*on)))))
        }
        3 | 4 => {
            let (at, count) = two_words(data)?;
            limited(count, MAX_READ_WORDS)?;
            Ok(counted(device.registers(at, count)?.into_iter().flat_map(u16::to_be_bytes)))
        }
        5 => {
            let (at, value) = two_words(data)?;
            let on = match value {
                0xFF00 => true,
                0 => false,
                _ => return Err(Exception::Value),
            };
            device.write_coils(at, &[on])?;
            Ok(data.to_vec())
        }
        6 => {
            let (at, word) = two_words(data)?;
            device.write_registers(at, &[word])?;
            Ok(data.to_vec())
        }
        15 => {
            let (at, count, bytes) = several(data)?;
            limited(count, MAX_WRITE_BITS)?;
            if bytes.len() != usize::from(count).div_ceil(8) {
                return Err(Exception::Value);
            }
            let on: Vec<bool> = (0..usize::from(count)).map(|n| bytes[n / 8] & 1 << (n % 8) != 0).collect();
            device.write_coils(at, &on)?;
            Ok(data[..4].to_vec())
        }
        16 => {
            let (at, count, bytes) = several(data)?;
            limited(count, MAX_WRITE_WORDS)?;
            if bytes.len() != usize::from(count) * 2 {
                return Err(Exception::Value);
            }
            let words: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
            device.write_registers(at, &words)?;
            Ok(data[..4].to_vec())
        }
        _ => Err(Exception::Function),
    }
}

/// Exactly two words: an address, and a quantity or value.
fn two_words(data: &[u8]) -> Result<(u16, u16), Exception> {
    match *data {
        [a, b, c, d] => Ok((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
        _ => Err(Exception::Value),
    }
}

/// Address, quantity, and the bytes that follow their own count.
fn several(data: &[u8]) -> Result<(u16, u16, &[u8]), Exception> {
    let (head, rest) = data.split_at_checked(4).ok_or(Exception::Value)?;
    let (at, quantity) = two_words(head)?;
    match rest.split_first() {
        Some((count, bytes)) if usize::from(*count) == bytes.len() => Ok((at, quantity, bytes)),
        _ => Err(Exception::Value),
    }
}

fn limited(count: u16, most: u16) -> Result<(), Exception> {
    if (1..=most).contains(&count) { Ok(()) } else { Err(Exception::Value) }
}

/// The bytes behind their count.
fn counted(bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut all = vec![0];
    all.extend(bytes);
    // At most 250 bytes: the quantities are limited.
    all[0] = (all.len() - 1) as u8;
    all
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// A hundred registers whose value is their address, sixteen coils; remembers what was written.
    #[derive(Default)]
    struct Hundred(RefCell<Vec<u16>>);

    impl Device for Hundred {
        fn registers(&self, at: u16, count: u16) -> Result<Vec<u16>, Exception> {
            let end = u32::from(at) + u32::from(count);
            if end > 200 { Err(Exception::Address) } else { Ok((at..at + count).collect()) }
        }

        fn bits(&self, at: u16, count: u16, coils: bool) -> Result<Vec<bool>, Exception> {
            let end = u32::from(at) + u32::from(count);
            if end > 2000 {
                Err(Exception::Address)
            } else {
                Ok((at..at + count).map(|n| coils == (n % 3 == 0)).collect())
            }
        }

        fn write_registers(&self, at: u16, words: &[u16]) -> Result<(), Exception> {
            self.0.borrow_mut().push(at);
            self.0.borrow_mut().extend(words);
            if at < 200 { Ok(()) } else { Err(Exception::Address) }
        }

        fn write_coils(&self, at: u16, on: &[bool]) -> Result<(), Exception> {
            self.write_registers(at, &on.iter().map(|b| u16::from(*b)).collect::<Vec<_>>())
        }
    }

    fn request(pdu: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 0, 0, 0, pdu.len() as u8 + 1, 7];
        bytes.extend(pdu);
        bytes
    }

    /// The answer's function code and data.
    fn answered(pdu: &[u8]) -> Vec<u8> {
        let Next::Answer { used, bytes, .. } = next(&request(pdu), &Hundred::default()) else {
            panic!("{pdu:?} is not answered")
        };
        assert_eq!(used, pdu.len() + 7);
        assert_eq!(bytes[..4], [0x12, 0x34, 0, 0]);
        assert_eq!((usize::from(bytes[5]) + 6, bytes[6]), (bytes.len(), 7), "{bytes:?}");
        bytes[7..].to_vec()
    }

    #[test]
    fn requests_are_answered_as_the_standard_shows() {
        assert_eq!(answered(&[4, 0, 5, 0, 2]), [4, 4, 0, 5, 0, 6]);
        assert_eq!(answered(&[1, 0, 0, 0, 10]), [1, 2, 0b0100_1001, 0b10]);
        assert_eq!(answered(&[2, 0, 0, 0, 2]), [2, 1, 0b10]);
        assert_eq!(answered(&[5, 0, 1, 0xFF, 0]), [5, 0, 1, 0xFF, 0]);
        assert_eq!(answered(&[6, 0, 1, 2, 3]), [6, 0, 1, 2, 3]);
        assert_eq!(answered(&[15, 0, 1, 0, 9, 2, 0xFF, 1]), [15, 0, 1, 0, 9]);
        assert_eq!(answered(&[16, 0, 1, 0, 2, 4, 0, 9, 0, 8]), [16, 0, 1, 0, 2]);
        let device = Hundred::default();
        next(&request(&[16, 0, 1, 0, 2, 4, 0, 9, 1, 8]), &device);
        assert_eq!(*device.0.borrow(), [1, 9, 264]);
    }

    #[test]
    fn what_is_wrong_gets_the_exception_of_the_standard() {
        for (pdu, exception) in [
            // Quantities.
            (&[3u8, 0, 0, 0, 0][..], 3),
            (&[3, 0, 0, 0, 126], 3),
            (&[4, 0, 0, 1, 0], 3),
            (&[4, 255, 255, 255, 255], 3),
            (&[1, 0, 0, 7, 209], 3),
            (&[2, 0, 0, 0, 0], 3),
            (&[15, 0, 0, 0, 0, 0], 3),
            (&[15, 0, 0, 0, 9, 1, 0], 3),
            (&[16, 0, 0, 0, 0, 0], 3),
            (&[16, 0, 0, 0, 2, 3, 0, 0, 0], 3),
            (&[16, 0, 0, 0, 2, 4, 0, 0], 3),
            (&[16, 0, 0, 0, 1, 2, 0, 0, 0], 3),
            // Lengths and values.
            (&[3], 3),
            (&[3, 0, 0, 0], 3),
            (&[3, 0, 0, 0, 1, 0], 3),
            (&[5, 0, 1, 0xFF, 1], 3),
            (&[6, 0, 1], 3),
            (&[16], 3),
            // Addresses.
            (&[3, 0, 200, 0, 1], 2),
            (&[4, 0, 150, 0, 100], 2),
            (&[3, 255, 255, 0, 125], 2),
            (&[6, 1, 0, 0, 1], 2),
            (&[1, 7, 208, 0, 1], 2),
            // Functions.
            (&[0], 1),
            (&[7], 1),
            (&[8, 0, 0, 0, 0], 1),
            (&[22, 0, 4, 0, 0xF2, 0, 0x25], 1),
            (&[23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 255], 1),
            (&[43, 14, 1, 0], 1),
            (&[0x83, 2], 1),
        ] {
            assert_eq!(answered(pdu), [pdu[0] | 0x80, exception], "{pdu:?}");
        }
        let (mut longest, mut longer) = (vec![16, 0, 0, 0, 123, 246], vec![16, 0, 0, 0, 124, 248]);
        longest.resize(6 + 246, 0);
        assert_eq!(answered(&longest), [16, 0, 0, 0, 123]);
        longer.resize(6 + 247, 0);
        assert_eq!(answered(&longer), [0x90, 3], "as much as a request can hold");
    }

    #[test]
    fn a_header_that_is_none_ends_the_connection_as_soon_as_it_is_seen() {
        let device = Hundred::default();
        assert_eq!(next(b"GE", &device), Next::More);
        assert!(matches!(next(b"GET ", &device), Next::Broken(_)));
        assert!(matches!(next(&[0, 1, 0, 1, 0, 6], &device), Next::Broken(_)));
        assert!(matches!(next(&[0, 1, 0, 0, 0, 1], &device), Next::Broken(_)));
        assert!(matches!(next(&[0, 1, 0, 0, 0, 0], &device), Next::Broken(_)));
        assert!(matches!(next(&[0, 1, 0, 0, 0, 255], &device), Next::Broken(_)));
        assert!(matches!(next(&[0, 1, 0, 0, 1, 0], &device), Next::Broken(_)));
    }

    proptest! {
        /// Any bytes give an answer that fits the protocol, ask for more, or end the connection; nothing beyond the request counts.
        #[test]
        fn any_bytes_are_answered_within_the_protocol(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
            like_modbus in any::<bool>(),
            function in 0u8..26,
        ) {
            if like_modbus && bytes.len() > 8 {
                let length = (bytes.len() - 6).min(254) as u16;
                bytes[2..4].fill(0);
                bytes[4..6].copy_from_slice(&length.to_be_bytes());
                bytes[7] = function;
            }
            let device = Hundred::default();
            if let Next::Answer { used, bytes: answer, refused } = next(&bytes, &device) {
                prop_assert!((8..=MAX_ADU).contains(&used) && used <= bytes.len());
                prop_assert!((9..=MAX_ADU).contains(&answer.len()));
                prop_assert_eq!(usize::from(u16::from_be_bytes([answer[4], answer[5]])) + 6, answer.len());
                prop_assert_eq!((&answer[..4], answer[6]), (&bytes[..4], bytes[6]));
                let code = answer[7];
                prop_assert_eq!(code, if refused.is_some() { bytes[7] | 0x80 } else { bytes[7] });
                prop_assert_eq!(next(&bytes[..used], &Hundred::default()), Next::Answer { used, bytes: answer, refused });
                prop_assert_eq!(next(&bytes[..used - 1], &device), Next::More);
            }
        }
    }
}
