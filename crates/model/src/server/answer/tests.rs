use std::future::poll_fn;

use super::*;

async fn lines(pieces: Vec<Piece>, include_usage: bool) -> Vec<String> {
    let (sender, receiver) = mpsc::channel(8);
    for piece in pieces {
        sender.try_send(piece).expect("room");
    }
    drop(sender);
    let mut body = Body::events(Head::new("m".to_owned()), receiver, include_usage);
    let mut text = String::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame;
        text.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("whole characters"));
    }
    text.split_terminator("\n\n").map(|line| line.strip_prefix("data: ").expect("data").to_owned()).collect()
}

const END: End = End { finish: Finish::Stop, prompt: 5, cached: 2, generated: 3 };

#[tokio::test]
async fn a_stream_is_role_words_finish_and_done() {
    let lines = lines(vec![Piece::Text("Hé".to_owned()), Piece::End(END)], false).await;
    let chunk = |i: usize| serde_json::from_str::<Value>(&lines[i]).expect("JSON");
    assert_eq!(chunk(0)["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunk(1)["choices"][0]["delta"], json!({ "content": "Hé" }));
    assert_eq!(chunk(1)["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(chunk(2)["choices"][0]["finish_reason"], "stop");
    assert!(chunk(2).get("usage").is_none());
    assert_eq!(lines[3..], ["[DONE]"]);
}

#[tokio::test]
async fn usage_comes_in_a_chunk_of_its_own() {
    let lines = lines(vec![Piece::End(END)], true).await;
    let chunk = |i: usize| serde_json::from_str::<Value>(&lines[i]).expect("JSON");
    assert_eq!(chunk(0)["usage"], Value::Null);
    assert_eq!((&chunk(2)["choices"], &chunk(2)["usage"]["total_tokens"]), (&json!([]), &json!(8)));
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_done() {
    let lines = lines(vec![Piece::Text("a".to_owned())], false).await;
    assert!(lines[2].contains("server_error"));
    assert_eq!(lines.len(), 3);
}
