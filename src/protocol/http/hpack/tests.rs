use super::*;
use crate::protocol::tests::hex;

type Shown = Vec<(String, String)>;

fn read(decoder: &mut Decoder, block: &str) -> Result<Shown, &'static str> {
    let mut shown = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    decoder.read(&hex(block), |name, value| shown.push((text(name), text(value))))?;
    Ok(shown)
}

fn holds(decoder: &Decoder) -> Shown {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    decoder.entries.iter().map(|entry| (text(&entry.name), text(&entry.value))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Shown {
    list.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn integers_are_those_of_appendix_c_1() {
    assert_eq!(integer(&mut Cursor::new(&[0x0a]), 5), Some(10));
    assert_eq!(integer(&mut Cursor::new(&[0x1f, 0x9a, 0x0a]), 5), Some(1337));
    assert_eq!(integer(&mut Cursor::new(&[0x2a]), 8), Some(42));
    assert_eq!(integer(&mut Cursor::new(&[0x1f, 0x9a]), 5), None);
    assert_eq!(integer(&mut Cursor::new(&[0x1f, 0xff, 0xff, 0xff, 0xff, 0x00]), 5), None);
}

#[test]
fn single_fields_are_those_of_appendix_c_2() {
    let blocks = [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", ("custom-key", "custom-header"), 1),
        ("040c2f73616d706c652f70617468", (":path", "/sample/path"), 0),
        ("100870617373776f726406736563726574", ("password", "secret"), 0),
        ("82", (":method", "GET"), 0),
    ];
    for (block, field, kept) in blocks {
        let mut decoder = Decoder::default();
        assert_eq!(read(&mut decoder, block), Ok(pairs(&[field])));
        assert_eq!(decoder.entries.len(), kept);
    }
}

/// Appendices C.3 and C.4: the same requests as they are and in Huffman's code.
#[test]
fn requests_are_those_of_appendices_c_3_and_c_4() {
    let requests = [
        ["828684410f7777772e6578616d706c652e636f6d", "828684418cf1e3c2e5f23a6ba0ab90f4ff"],
        ["828684be58086e6f2d6361636865", "828684be5886a8eb10649cbf"],
        [
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
    ];
    let first = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
    let third = [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), (":authority", "www.example.com")];
    let expected = [
        pairs(&first),
        pairs(&[&first[..], &[("cache-control", "no-cache")]].concat()),
        pairs(&[&third[..], &[("custom-key", "custom-value")]].concat()),
    ];
    for form in 0..2 {
        let mut decoder = Decoder::default();
        for (blocks, fields) in requests.iter().zip(&expected) {
            assert_eq!(read(&mut decoder, blocks[form]).as_ref(), Ok(fields));
        }
        let kept = [("custom-key", "custom-value"), ("cache-control", "no-cache"), (":authority", "www.example.com")];
        assert_eq!(holds(&decoder), pairs(&kept));
        assert_eq!(decoder.bytes, 164);
    }
}

/// Appendices C.5 and C.6: a table of 256 bytes, out of which entries fall.
#[test]
fn responses_are_those_of_appendices_c_5_and_c_6() {
    let responses = [
        [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54
             6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        ],
        ["4803333037c1c0bf", "4883640effc1c0bf"],
        [
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48
             514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af
             27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ],
    ];
    let at = "Mon, 21 Oct 2013 20:13:21 GMT";
    let later = "Mon, 21 Oct 2013 20:13:22 GMT";
    let location = ("location", "https://www.example.com");
    let cookie = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
    let private = ("cache-control", "private");
    let expected = [
        pairs(&[(":status", "302"), private, ("date", at), location]),
        pairs(&[(":status", "307"), private, ("date", at), location]),
        pairs(&[(":status", "200"), private, ("date", later), location, ("content-encoding", "gzip"), cookie]),
    ];
    for form in 0..2 {
        let mut decoder = Decoder { bytes_max: 256, ..Decoder::default() };
        for (blocks, fields) in responses.iter().zip(&expected) {
            assert_eq!(read(&mut decoder, blocks[form]).as_ref(), Ok(fields));
        }
        // It counts as what it is, and is not kept.
        let cookie = ("set-cookie", "");
        assert_eq!(holds(&decoder), pairs(&[cookie, ("content-encoding", "gzip"), ("date", later)]));
        assert_eq!(decoder.bytes, 215);
    }
}

#[test]
fn a_block_cut_anywhere_is_none_or_says_less() {
    let block = hex("828684418cf1e3c2e5f23a6ba0ab90f4ff");
    for len in 0..block.len() {
        let mut fields = 0;
        let outcome = Decoder::default().read(&block[..len], |_, _| fields += 1);
        assert_eq!(outcome.is_ok(), len <= 3, "at {len}");
        assert_eq!(fields, len.min(3));
    }
}

#[test]
fn what_is_no_field_is_refused() {
    let refused = [
        "80",           // index 0
        "be",           // an entry that the empty table has not
        "3fe1ffff03",   // a table of 16 MiB
        "0081ff",       // padding of a whole byte
        "008100",       // padding that is not of ones
        "0084ffffffff", // the code that must not stand in a text
        "00ff00",       // a name longer than the block
    ];
    for block in refused {
        assert_eq!(read(&mut Decoder::default(), block), Err(MALFORMED), "{block}");
    }
}

#[test]
fn a_block_of_too_many_fields_is_given_up() {
    assert_eq!(Decoder::default().read(&[0x82; 1025], |_, _| {}), Err("hpack_fields"));
}

#[test]
fn the_table_is_emptied_by_a_size_of_none_and_by_what_has_no_room() {
    let mut decoder = Decoder::default();
    read(&mut decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572").unwrap();
    assert_eq!(decoder.bytes, 55);
    read(&mut decoder, "20").unwrap();
    assert_eq!((decoder.bytes, decoder.bytes_max), (0, 0));
    read(&mut decoder, "400a637573746f6d2d6b65790d637573746f6d2d686561646572").unwrap();
    assert!(decoder.entries.is_empty());
}
