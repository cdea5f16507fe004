// Runs jobs with the official `@google/genai` package: see jobs.mjs.

import { TIMEOUT, Weather, errorOf, forecast, require, serve } from "./jobs.mjs";

const { ApiError, GoogleGenAI } = require("@google/genai");
const { z } = require("zod");

const failure = (error) => errorOf(error, ApiError);

/** Adds a chunk to what an answer has said so far. */
const add = (state, chunk) => {
  state.usage = chunk.usageMetadata ?? state.usage;
  for (const { content, finishReason } of chunk.candidates ?? []) {
    state.finish = finishReason ?? state.finish;
    state.parts.push(...(content?.parts ?? []));
  }
  return state;
};

const empty = () => ({ parts: [], finish: null, usage: null, error: null });

const textOf = (parts, thought) =>
  parts.filter((part) => part.text && Boolean(part.thought) === thought).map(({ text }) => text).join("");

const callsOf = (parts) => parts.flatMap(({ functionCall }) => functionCall ?? []);

const outcomeOf = ({ parts, finish, usage, error }) => ({
  texts: [textOf(parts, false)],
  thinking: textOf(parts, true),
  finish,
  usage: usage && {
    prompt: usage.promptTokenCount,
    completion: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    cached: usage.cachedContentTokenCount ?? 0,
  },
  tools: callsOf(parts).map(({ id, name, args }) => ({ id, name, arguments: args })),
  error: error && failure(error),
});

const streamed = async (chunks) => {
  const state = empty();
  try {
    for await (const chunk of await chunks) add(state, chunk);
  } catch (error) {
    if (state.parts.length === 0) throw error;
    state.error = error;
  }
  return state;
};

const turn = async ({ models }, { stream, params }) =>
  stream ? streamed(models.generateContentStream(params)) : add(empty(), await models.generateContent(params));

const round = async (client, job) => {
  const { parts } = await turn(client, job);
  const said = callsOf(parts).map(({ id, name, args }) => ({
    functionResponse: { id, name, response: { result: forecast(args) } },
  }));
  const contents = [
    { role: "user", parts: [{ text: job.params.contents }] },
    { role: "model", parts },
    { role: "user", parts: said },
  ];
  return turn(client, { ...job, params: { ...job.params, contents } });
};

const parse = async (client, job) => {
  const config = { responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(Weather) };
  const state = await turn(client, { ...job, params: { ...job.params, config } });
  return { ...outcomeOf(state), object: Weather.parse(JSON.parse(textOf(state.parts, false))) };
};

const helper = async ({ chats }, { params: { model, contents } }) =>
  streamed(chats.create({ model }).sendMessageStream({ message: contents }));

const OPERATIONS = {
  chat: async (client, job) => outcomeOf(await turn(client, job)),
  round: async (client, job) => outcomeOf(await round(client, job)),
  helper: async (client, job) => outcomeOf(await helper(client, job)),
  parse,
};

const run = async (job) => {
  const httpOptions = { baseUrl: job.url, timeout: TIMEOUT, headers: job.headers ?? {} };
  return OPERATIONS[job.op](new GoogleGenAI({ apiKey: job.key, httpOptions }), job);
};

await serve(run, failure);
