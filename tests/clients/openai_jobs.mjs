// Runs jobs with the chat completions of the official `openai` package: see jobs.mjs.

import { TIMEOUT, Weather, errorOf, forecast, require, serve } from "./jobs.mjs";

const OpenAI = require("openai");
const { zodResponseFormat } = require("openai/helpers/zod");

const failure = (error) => errorOf(error, OpenAI.APIError);

const usageOf = (usage) =>
  usage
    ? {
        prompt: usage.prompt_tokens,
        completion: usage.completion_tokens,
        total: usage.total_tokens,
        cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
        reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
      }
    : null;

const toolOf = (call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments });

const whole = (completion) => ({
  texts: completion.choices.map((choice) => choice.message.content),
  finish: completion.choices[0].finish_reason,
  usage: usageOf(completion.usage),
  tools: (completion.choices[0].message.tool_calls ?? []).map(toolOf),
});

/** Adds a chunk to what a stream has said so far. */
const add = (state, chunk) => {
  state.usage = usageOf(chunk.usage) ?? state.usage;
  for (const { index, delta, finish_reason } of chunk.choices) {
    state.texts[index] = (state.texts[index] ?? "") + (delta.content ?? "");
    state.tokens += delta.content ? 1 : 0;
    state.finish = finish_reason ?? state.finish;
    for (const call of delta.tool_calls ?? []) {
      const known = (state.tools[call.index] ??= { id: null, name: "", arguments: "" });
      known.id = call.id ?? known.id;
      known.name += call.function?.name ?? "";
      known.arguments += call.function?.arguments ?? "";
    }
  }
};

const streamed = async (client, job) => {
  const state = { texts: [], tools: [], finish: null, usage: null, tokens: 0 };
  try {
    const stream = await client.chat.completions.create({ ...job.params, stream: true });
    for await (const chunk of stream) {
      add(state, chunk);
      // Leaving the loop is how this SDK aborts.
      if (job.stop_after != null && state.tokens >= job.stop_after) break;
    }
  } catch (error) {
    if (state.texts.length === 0) throw error;
    state.error = failure(error);
  }
  return state;
};

const turn = async (client, job) =>
  job.stream ? streamed(client, job) : whole(await client.chat.completions.create(job.params));

const round = async (client, job) => {
  const { texts, tools } = await turn(client, job);
  const tool_calls = tools.map(({ id, ...call }) => ({ id, type: "function", function: call }));
  const said = tools.map((call) => ({ role: "tool", tool_call_id: call.id, content: forecast(JSON.parse(call.arguments)) }));
  const asked = { role: "assistant", content: texts[0] || null, tool_calls };
  return turn(client, { ...job, params: { ...job.params, messages: [...job.params.messages, asked, ...said] } });
};

const parse = async ({ chat: { completions } }, job) => {
  const params = { ...job.params, response_format: zodResponseFormat(Weather, "weather") };
  const completion = await (job.stream ? completions.stream(params).finalChatCompletion() : completions.parse(params));
  return { ...whole(completion), object: completion.choices[0].message.parsed };
};

const floats = (text) => {
  const bytes = Buffer.from(text, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
};

const embed = async (client, job) => {
  const { data, usage } = await client.embeddings.create(job.params);
  const vectors = data.map(({ embedding }) => (typeof embedding === "string" ? floats(embedding) : embedding));
  return { vectors, encoded: data.map(({ embedding }) => typeof embedding === "string"), usage_total: usage.total_tokens };
};

const models = async (client) => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  return { models: names };
};

const OPERATIONS = {
  chat: turn,
  round,
  parse,
  models,
  embed,
  helper: async (client, job) => whole(await client.chat.completions.stream(job.params).finalChatCompletion()),
  model: async (client, job) => ({ models: [(await client.models.retrieve(job.params.model)).id] }),
};

const run = async (job) => {
  const client = new OpenAI({
    baseURL: job.url,
    apiKey: job.key,
    maxRetries: job.retries ?? 0,
    timeout: TIMEOUT,
    defaultHeaders: job.headers ?? {},
  });
  return OPERATIONS[job.op](client, job);
};

await serve(run, failure);
