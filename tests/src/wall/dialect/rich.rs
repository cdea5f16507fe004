//! Answers with things beside their text that no other dialect has a word for: a picture, a search, a citation.

/// The text of them all.
pub const TEXT: &str = "seen";

/// A picture and a citation, as OpenRouter and OpenAI write them.
pub const CHAT: &str = concat!(
    "data: {\"id\":\"rich-1\",\"model\":\"rich\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"seen\"}}]}\n\n",
    "data: {\"id\":\"rich-1\",\"model\":\"rich\",\"choices\":[{\"index\":0,\"delta\":{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]}}]}\n\n",
    "data: {\"id\":\"rich-1\",\"model\":\"rich\",\"choices\":[{\"index\":0,\"delta\":{\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://a.example\",\"title\":\"A\",\"start_index\":0,\"end_index\":4}}]}}]}\n\n",
    "data: {\"id\":\"rich-1\",\"model\":\"rich\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
    "data: [DONE]\n\n",
);

/// The same, not streamed.
pub const CHAT_WHOLE: &str = concat!(
    "{\"id\":\"rich-1\",\"object\":\"chat.completion\",\"model\":\"rich\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"seen\",",
    "\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}],",
    "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"https://a.example\",\"title\":\"A\",\"start_index\":0,\"end_index\":4}}]}}],",
    "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
);

/// A search and a citation of OpenAI's Responses.
pub const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"rich-1\",\"object\":\"response\",\"model\":\"rich\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"in_progress\"}}\n\n",
    "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"sequence_number\":2,\"output_index\":0,\"item\":{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"}}\n\n",
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":3,\"output_index\":1,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"output_index\":1,\"content_index\":0,\"item_id\":\"msg_1\",\"delta\":\"seen\"}\n\n",
    "event: response.output_text.annotation.added\ndata: {\"type\":\"response.output_text.annotation.added\",\"sequence_number\":5,\"output_index\":1,\"content_index\":0,\"annotation_index\":0,\"item_id\":\"msg_1\",\"annotation\":{\"type\":\"url_citation\",\"url\":\"https://a.example\",\"title\":\"A\",\"start_index\":0,\"end_index\":4}}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":6,\"response\":{\"id\":\"rich-1\",\"object\":\"response\",\"model\":\"rich\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3}}}\n\n",
);

/// The same, not streamed.
pub const RESPONSES_WHOLE: &str = concat!(
    "{\"id\":\"rich-1\",\"object\":\"response\",\"model\":\"rich\",\"status\":\"completed\",\"output\":[{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"},",
    "{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"seen\",",
    "\"annotations\":[{\"type\":\"url_citation\",\"url\":\"https://a.example\",\"title\":\"A\",\"start_index\":0,\"end_index\":4}]}]}],",
    "\"usage\":{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3}}",
);

/// A search, its result and a citation of Anthropic's.
pub const MESSAGES: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"rich-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"rich\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"query\\\":\\\"a\\\"}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\",\"citations\":[]}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"seen\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"type\":\"web_search_result_location\",\"url\":\"https://a.example\",\"title\":\"A\",\"encrypted_index\":\"RQ==\",\"cited_text\":\"seen\"}}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// The same, not streamed.
pub const MESSAGES_WHOLE: &str = concat!(
    "{\"id\":\"rich-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"rich\",\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"content\":[",
    "{\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{\"query\":\"a\"}},",
    "{\"type\":\"text\",\"text\":\"seen\",\"citations\":[{\"type\":\"web_search_result_location\",\"url\":\"https://a.example\",\"title\":\"A\",\"encrypted_index\":\"RQ==\",\"cited_text\":\"seen\"}]}],",
    "\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
);

/// A picture and what the text is grounded on, of Gemini's.
pub const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"seen\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"rich\",\"responseId\":\"rich-1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"rich\",\"responseId\":\"rich-1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"totalTokenCount\":3},\"modelVersion\":\"rich\",\"responseId\":\"rich-1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://a.example\",\"title\":\"A\"}}]},\"index\":0}],\"modelVersion\":\"rich\",\"responseId\":\"rich-1\"}\r\n\r\n",
);

/// The same, not streamed.
pub const GEMINI_WHOLE: &str = concat!(
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"seen\"},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"}}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0,",
    "\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://a.example\",\"title\":\"A\"}}]}}],",
    "\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"totalTokenCount\":3},\"modelVersion\":\"rich\",\"responseId\":\"rich-1\"}",
);
