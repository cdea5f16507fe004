// Runs jobs with the `responses` of the official `openai` package: see jobs.mjs.

import { TIMEOUT, Weather, errorOf, forecast, require, serve } from "./jobs.mjs";

const OpenAI = require("openai");
const { zodTextFormat } = require("openai/helpers/zod");

const failure = (error) => errorOf(error, OpenAI.APIError);

const reported = ({ message }) => ({ class: "APIError", is_api_error: true, status: null, message });

const callsOf = (items) => items.filter(({ type }) => type === "function_call");

const outcomeOf = ({ text, thinking, items, response, error }) => {
  const usage = response?.usage;
  return {
    texts: [text],
    thinking,
    finish: response?.incomplete_details?.reason ?? response?.status ?? null,
    usage: usage && {
      prompt: usage.input_tokens,
      completion: usage.output_tokens,
      cached: usage.input_tokens_details.cached_tokens,
      reasoning: usage.output_tokens_details.reasoning_tokens,
    },
    store: response?.store ?? null,
    tools: callsOf(items).map((call) => ({ id: call.call_id, name: call.name, arguments: JSON.parse(call.arguments) })),
    error: error ?? (response?.error ? reported(response.error) : null),
  };
};

const said = (response) => ({
  text: response.output_text,
  thinking: response.output.flatMap(({ summary }) => summary ?? []).map(({ text }) => text).join(""),
  items: response.output,
  response,
});

const ENDS = ["response.completed", "response.incomplete"];

/** Adds an event to what a stream has said so far. */
const add = (state, event) => {
  if (event.type === "response.output_text.delta") {
    state.tokens += 1;
    state.text += event.delta;
  } else if (event.type === "response.reasoning_summary_text.delta") {
    state.thinking += event.delta;
  } else if (event.type === "response.output_item.done") {
    state.items.push(event.item);
  } else if (event.type === "error") {
    // An SDK that hands this event on as it is.
    state.error = reported(event);
  } else if (event.type === "response.failed") {
    state.error = reported(event.response.error);
  } else if (ENDS.includes(event.type)) {
    state.response = event.response;
  }
};

const streamed = async (client, job) => {
  const state = { text: "", thinking: "", items: [], response: null, error: null, tokens: 0 };
  try {
    for await (const event of await client.responses.create({ ...job.params, stream: true })) {
      add(state, event);
      if (job.stop_after != null && state.tokens >= job.stop_after) break;
    }
  } catch (error) {
    if (state.text === "") throw error;
    state.error = failure(error);
  }
  return state;
};

const turn = async (client, job) =>
  job.stream ? streamed(client, job) : said(await client.responses.create(job.params));

const round = async (client, job) => {
  const { items } = await turn(client, job);
  const outputs = callsOf(items).map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: forecast(JSON.parse(call.arguments)),
  }));
  const input = [{ role: "user", content: job.params.input }, ...items, ...outputs];
  return turn(client, { ...job, params: { ...job.params, input } });
};

const parse = async ({ responses }, job) => {
  const params = { ...job.params, text: { format: zodTextFormat(Weather, "weather") } };
  const response = await (job.stream ? responses.stream(params).finalResponse() : responses.parse(params));
  return { ...outcomeOf(said(response)), object: response.output_parsed };
};

const OPERATIONS = {
  chat: async (client, job) => outcomeOf(await turn(client, job)),
  round: async (client, job) => outcomeOf(await round(client, job)),
  helper: async (client, job) => outcomeOf(said(await client.responses.stream(job.params).finalResponse())),
  parse,
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
