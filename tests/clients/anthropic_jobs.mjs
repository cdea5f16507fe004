// Runs jobs with the official `@anthropic-ai/sdk` package: see jobs.mjs.

import { TIMEOUT, Weather, errorOf, forecast, require, serve } from "./jobs.mjs";

const Anthropic = require("@anthropic-ai/sdk");
const { zodOutputFormat } = require("@anthropic-ai/sdk/helpers/zod");

const failure = (error) => errorOf(error, Anthropic.APIError);

const of = (blocks, type) => blocks.filter((block) => block.type === type);

const outcomeOf = ({ blocks, finish, usage, error }) => {
  const [cached, written] = [usage.cache_read_input_tokens ?? 0, usage.cache_creation_input_tokens ?? 0];
  const prompt = usage.input_tokens + cached + written;
  return {
    texts: [of(blocks, "text").map(({ text }) => text).join("")],
    thinking: of(blocks, "thinking").map(({ thinking }) => thinking).join(""),
    finish,
    usage: { prompt, completion: usage.output_tokens, cached },
    tools: of(blocks, "tool_use").map(({ id, name, input }) => ({ id, name, arguments: input })),
    error: error ? failure(error) : null,
  };
};

const said = ({ content, stop_reason, usage }) => ({ blocks: content, finish: stop_reason, usage });

const DELTAS = {
  text_delta: (block, { text }) => (block.text += text),
  thinking_delta: (block, { thinking }) => (block.thinking += thinking),
  signature_delta: (block, { signature }) => (block.signature = signature),
  input_json_delta: (block, { partial_json }) => (block.json = (block.json ?? "") + partial_json),
};

/** Adds an event to what a stream has said so far. */
const add = (state, event) => {
  if (event.type === "message_start") {
    state.usage = event.message.usage;
  } else if (event.type === "content_block_start") {
    if (event.index !== state.blocks.length) throw new Error(`a block at ${event.index}`);
    state.blocks.push({ ...event.content_block });
  } else if (event.type === "content_block_delta") {
    state.tokens += 1;
    DELTAS[event.delta.type](state.blocks[event.index], event.delta);
  } else if (event.type === "content_block_stop") {
    const block = state.blocks[event.index];
    if ("json" in block) block.input = JSON.parse(block.json || "{}");
    delete block.json;
  } else if (event.type === "message_delta") {
    state.finish = event.delta.stop_reason;
    state.usage = { ...state.usage, ...event.usage };
  }
};

const streamed = async (client, job) => {
  const state = { blocks: [], finish: null, usage: {}, tokens: 0 };
  try {
    for await (const event of await client.messages.create({ ...job.params, stream: true })) {
      add(state, event);
      if (job.stop_after != null && state.tokens >= job.stop_after) break;
    }
  } catch (error) {
    if (state.blocks.length === 0) throw error;
    state.error = error;
  }
  return state;
};

const turn = async (client, job) =>
  job.stream ? streamed(client, job) : said(await client.messages.create(job.params));

const round = async (client, job) => {
  const { blocks } = await turn(client, job);
  const content = of(blocks, "tool_use").map(({ id, input }) => ({
    type: "tool_result",
    tool_use_id: id,
    content: forecast(input),
  }));
  const more = [{ role: "assistant", content: blocks }, { role: "user", content }];
  return turn(client, { ...job, params: { ...job.params, messages: [...job.params.messages, ...more] } });
};

const parse = async (client, job) => {
  const params = { ...job.params, output_config: { format: zodOutputFormat(Weather) } };
  const { messages } = client;
  const message = await (job.stream ? messages.stream(params).finalMessage() : messages.parse(params));
  return { ...outcomeOf(said(message)), object: message.parsed_output };
};

const OPERATIONS = {
  chat: async (client, job) => outcomeOf(await turn(client, job)),
  round: async (client, job) => outcomeOf(await round(client, job)),
  helper: async (client, job) => outcomeOf(said(await client.messages.stream(job.params).finalMessage())),
  parse,
  count: async (client, job) => ({ counted: (await client.messages.countTokens(job.params)).input_tokens > 0 }),
};

const run = async (job) => {
  const client = new Anthropic({
    baseURL: job.url,
    apiKey: job.key,
    maxRetries: job.retries ?? 0,
    timeout: TIMEOUT,
    defaultHeaders: job.headers ?? {},
  });
  return OPERATIONS[job.op](client, job);
};

await serve(run, failure);
