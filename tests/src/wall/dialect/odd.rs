//! Answers that are correct and unlike any other: comments, CRLF, odd spacing, key order, unknown members and events.

/// A stream that is correct and unlike any other: comments, CRLF, odd spacing, key order and members. A gateway
/// that passes frames through forwards it byte for byte.
pub const ODD: &str = concat!(
    ": a comment before anything\n\n",
    "data:{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"x_mood\":[1,2.50,1e3]},\"index\":0}],",
    "\"object\":\"chat.completion.chunk\" , \"id\":\"odd-1\"}\n\n",
    "data:   {\"id\":\"odd-1\",  \"choices\":[ {\"index\":0,\"delta\":{\"content\":\"h\\u00e9llo\"}} ],\"zeta\":null}\n\n",
    "id: 7\r\nevent: message\r\ndata: {\"choices\":[{\"delta\":{\"content\":\" wörld\"},\"index\":0}],\"a\":{\"z\":1,\"b\":2}}\r\n\r\n",
    ": keep-alive\n\n",
    "data: {\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{},\"index\":0}],\"id\":\"odd-1\"}\n\n",
    "data: {\"usage\":{\"total_tokens\":3,\"completion_tokens\":2,\"prompt_tokens\":1},\"choices\":[]}\n\n",
    "data: [DONE]\n\n",
);

/// The content that [`ODD`] and [`ODD_WHOLE`] add up to.
pub const ODD_TEXT: &str = "héllo wörld";

/// The same answer, not streamed.
pub const ODD_WHOLE: &str = concat!(
    "{ \"usage\":{\"total_tokens\":3,\"completion_tokens\":2,\"prompt_tokens\":1},\n  \"zeta\" : null,",
    "\"choices\":[{\"message\":{\"content\":\"h\\u00e9llo wörld\",\"role\":\"assistant\",\"x_mood\":[1,2.50,1e3]},",
    "\"finish_reason\":\"stop\",\"index\":0}],\"object\":\"chat.completion\" , \"id\":\"odd-1\"}",
);

/// [`ODD`], as OpenAI Responses.
pub const RESPONSES: &str = concat!(
    ": a comment before anything\n\n",
    "event: response.created\ndata: {\"sequence_number\":0, \"response\":{\"status\":\"in_progress\",\"id\":\"odd-1\",\"x_mood\":[1,2.50,1e3],",
    "\"output\":[],\"object\":\"response\",\"model\":\"odd\"},\"type\":\"response.created\"}\n\n",
    "event: response.x_weather\ndata: {\"type\":\"response.x_weather\",\"sequence_number\":1,\"sky\":\"clear\"}\n\n",
    "event:response.output_item.added\ndata:{\"type\":\"response.output_item.added\",\"sequence_number\":2,\"output_index\":0,",
    "\"item\":{\"content\":[],\"role\":\"assistant\",\"type\":\"message\",\"status\":\"in_progress\",\"id\":\"msg_odd\"}}\n\n",
    "event: response.output_text.delta\ndata:   {\"type\":\"response.output_text.delta\", \"delta\" : \"h\\u00e9llo\",\"sequence_number\":3,",
    "\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_odd\",\"obfuscation\":\"x8\"}\n\n",
    "id: 7\r\nevent: response.output_text.delta\r\ndata: {\"delta\":\" wörld\",\"type\":\"response.output_text.delta\",\"sequence_number\":4,",
    "\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_odd\",\"logprobs\":[]}\r\n\r\n",
    ": keep-alive\n\n",
    "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"sequence_number\":5,\"output_index\":0,",
    "\"item\":{\"id\":\"msg_odd\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",",
    "\"content\":[{\"text\":\"héllo wörld\",\"annotations\":[],\"type\":\"output_text\"}]}}\n\n",
    "event: response.completed\ndata: {\"response\":{\"usage\":{\"total_tokens\":3,\"output_tokens\":2,\"input_tokens\":1},\"zeta\":null,",
    "\"status\":\"completed\",\"output\":[{\"id\":\"msg_odd\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",",
    "\"content\":[{\"text\":\"héllo wörld\",\"annotations\":[],\"type\":\"output_text\"}]}],\"object\":\"response\",\"model\":\"odd\",\"id\":\"odd-1\"},",
    "\"sequence_number\":6,\"type\":\"response.completed\"}\n\n",
);

/// The same answer, not streamed.
pub const RESPONSES_WHOLE: &str = concat!(
    "{ \"usage\":{\"total_tokens\":3,\"output_tokens\":2,\"input_tokens\":1},\n  \"zeta\" : null,\"status\":\"completed\",",
    "\"output\":[{\"type\":\"x_weather\",\"id\":\"x1\"},{\"x_mood\":[1,2.50,1e3],\"id\":\"msg_odd\",\"type\":\"message\",\"role\":\"assistant\",",
    "\"status\":\"completed\",\"content\":[{\"text\":\"h\\u00e9llo wörld\",\"annotations\":[],\"type\":\"output_text\"}]}],",
    "\"object\":\"response\" , \"model\":\"odd\",\"id\":\"odd-1\"}",
);

/// [`ODD`], as Anthropic Messages.
pub const MESSAGES: &str = concat!(
    ": a comment before anything\n\n",
    "event: message_start\ndata: {\"message\":{\"usage\":{\"output_tokens\":1,\"input_tokens\":1},\"x_mood\":[1,2.50,1e3],\"id\":\"odd-1\",",
    "\"role\":\"assistant\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"model\":\"odd\",\"type\":\"message\"} , \"type\":\"message_start\"}\n\n",
    "event: x_weather\ndata: {\"type\":\"x_weather\",\"sky\":\"clear\"}\n\n",
    "event:content_block_start\ndata:{\"index\":0,\"content_block\":{\"text\":\"\",\"type\":\"text\"},\"type\":\"content_block_start\"}\n\n",
    "event: content_block_delta\ndata:   {\"type\":\"content_block_delta\",  \"delta\":{\"text\":\"h\\u00e9llo\",\"type\":\"text_delta\"} ,\"index\":0,\"zeta\":null}\n\n",
    "id: 7\r\nevent: content_block_delta\r\ndata: {\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" wörld\"},\"type\":\"content_block_delta\",",
    "\"a\":{\"z\":1,\"b\":2}}\r\n\r\n",
    ": keep-alive\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_stop\ndata: {\"index\":0,\"type\":\"content_block_stop\"}\n\n",
    "event: message_delta\ndata: {\"usage\":{\"output_tokens\":2},\"delta\":{\"stop_sequence\":null,\"stop_reason\":\"end_turn\"},\"type\":\"message_delta\"}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"          }\n\n",
);

/// The same answer, not streamed.
pub const MESSAGES_WHOLE: &str = concat!(
    "{ \"usage\":{\"output_tokens\":2,\"input_tokens\":1},\n  \"zeta\" : null,\"stop_sequence\":null,\"stop_reason\":\"end_turn\",",
    "\"content\":[{\"text\":\"h\\u00e9llo wörld\",\"x_mood\":[1,2.50,1e3],\"type\":\"text\"}],\"role\":\"assistant\",",
    "\"model\":\"odd\" , \"type\":\"message\",\"id\":\"odd-1\"}",
);

/// [`ODD`], as Gemini: all the oddities are in CRLF but for one frame.
pub const GEMINI: &str = concat!(
    ": a comment before anything\r\n\r\n",
    "data:{\"responseId\":\"odd-1\",\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"h\\u00e9llo\",",
    "\"xMood\":[1,2.50,1e3]}]}}] , \"modelVersion\":\"odd\"}\r\n\r\n",
    "data:   {\"xWeather\":{\"sky\":\"clear\"},  \"responseId\":\"odd-1\"}\r\n\r\n",
    "id: 7\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" wörld\"}],\"role\":\"model\"}}],\"a\":{\"z\":1,\"b\":2}}\n\n",
    ": keep-alive\r\n\r\n",
    "data: {\"usageMetadata\":{\"totalTokenCount\":3,\"candidatesTokenCount\":2,\"promptTokenCount\":1},\"candidates\":[{\"finishReason\":\"STOP\",",
    "\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}],\"zeta\":null}\r\n\r\n",
);

/// The same answer, not streamed.
pub const GEMINI_WHOLE: &str = concat!(
    "{ \"usageMetadata\":{\"totalTokenCount\":3,\"candidatesTokenCount\":2,\"promptTokenCount\":1},\n  \"zeta\" : null,",
    "\"candidates\":[{\"finishReason\":\"STOP\",\"content\":{\"parts\":[{\"xMood\":[1,2.50,1e3],\"text\":\"h\\u00e9llo wörld\"}],\"role\":\"model\"},",
    "\"index\":0}],\"modelVersion\":\"odd\" , \"responseId\":\"odd-1\"}",
);
