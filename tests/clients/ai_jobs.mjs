// Runs jobs with Vercel's `ai` and its providers: see jobs.mjs. Parameters are this SDK's own; `tools` is written as in
// OpenAI's dialect.

import { TIMEOUT, Weather, forecast, require, serve } from "./jobs.mjs";

const { generateText, streamText, embedMany, tool, jsonSchema, isStepCount, Output } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createGoogle } = require("@ai-sdk/google");

const errorOf = (error) => ({
  class: error?.name ?? error?.constructor?.name ?? "?",
  is_api_error: error?.name === "AI_APICallError",
  status: error?.statusCode ?? null,
  message: String(error?.message ?? JSON.stringify(error)),
});

const usageOf = (usage) =>
  usage?.outputTokens != null
    ? {
        prompt: usage.inputTokens,
        completion: usage.outputTokens,
        total: usage.totalTokens,
        cached: usage.inputTokenDetails?.cacheReadTokens ?? 0,
        reasoning: usage.outputTokenDetails?.reasoningTokens ?? 0,
      }
    : null;

const toolOf = (call) => ({ id: call.toolCallId, name: call.toolName, arguments: JSON.stringify(call.input) });

const toolsOf = (list, execute) =>
  Object.fromEntries(
    list.map(({ function: { name, description, parameters } }) => [
      name,
      tool({ description, inputSchema: jsonSchema(parameters), ...(execute && { execute }) }),
    ]),
  );

const optionsOf = (job) => ({ baseURL: job.url, apiKey: job.key, headers: job.headers ?? {} });

const compatible = (job) =>
  createOpenAICompatible({
    ...optionsOf(job),
    name: "opencode",
    includeUsage: job.params.includeUsage ?? true,
    supportsStructuredOutputs: true,
  });

const MODELS = {
  "ai-openai": (job) => createOpenAI(optionsOf(job)).chat(job.params.model),
  "ai-compatible": (job) => compatible(job).chatModel(job.params.model),
  "ai-responses": (job) => createOpenAI(optionsOf(job)).responses(job.params.model),
  "ai-anthropic": (job) => createAnthropic(optionsOf(job))(job.params.model),
  "ai-google": (job) => createGoogle(optionsOf(job))(job.params.model),
};

const settings = (job, signal) => {
  const { model, tools, schema, includeUsage, ...params } = job.params;
  return {
    model: MODELS[job.sdk](job),
    maxRetries: job.retries ?? 0,
    abortSignal: signal,
    ...params,
    ...(tools && { tools: toolsOf(tools, job.op === "round" && (async (input) => forecast(input))) }),
    ...(schema && { output: Output.object({ schema: jsonSchema(schema) }) }),
    ...(job.op === "parse" && { output: Output.object({ schema: Weather }) }),
    ...(job.op === "round" && { stopWhen: isStepCount(3) }),
  };
};

const generated = async (job, signal) => {
  const result = await generateText(settings(job, signal));
  // A step after a tool's result is an answer of its own.
  const last = result.steps.at(-1);
  return {
    texts: [last.text],
    thinking: last.reasoningText ?? "",
    finish: last.finishReason,
    usage: usageOf(last.usage),
    tools: last.toolCalls.map(toolOf),
    ...(job.op === "parse" && { object: result.output }),
  };
};

const streamed = async (job, signal, abort) => {
  const state = { texts: [""], thinking: "", tools: [], finish: null, usage: null, tokens: 0 };
  const result = streamText({ ...settings(job, signal), onError: () => {} });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") {
      state.texts[0] += part.text;
      state.tokens += 1;
      if (job.stop_after != null && state.tokens >= job.stop_after) abort();
    } else if (part.type === "reasoning-delta") {
      state.thinking += part.text;
    } else if (part.type === "start-step") {
      // A step after a tool's result begins the answer anew.
      [state.texts, state.thinking, state.tools] = [[""], "", []];
    } else if (part.type === "tool-call") {
      state.tools.push(toolOf(part));
    } else if (part.type === "finish-step") {
      state.finish = part.finishReason;
      state.usage = usageOf(part.usage);
    } else if (part.type === "error") {
      state.error = errorOf(part.error);
    }
  }
  if (job.op === "parse" && !state.error) state.object = await result.output;
  return state;
};

const embed = async (job, signal) => {
  const model =
    job.sdk === "ai-openai"
      ? createOpenAI(optionsOf(job)).embedding(job.params.model)
      : compatible(job).embeddingModel(job.params.model);
  const values = [job.params.input].flat();
  const { embeddings, usage } = await embedMany({ model, values, maxRetries: 0, abortSignal: signal });
  return { vectors: embeddings, encoded: embeddings.map(() => false), usage_total: usage.tokens };
};

const run = async (job) => {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, TIMEOUT);
  try {
    if (job.op === "embed") return await embed(job, controller.signal);
    return job.stream ? await streamed(job, controller.signal, abort) : await generated(job, controller.signal);
  } finally {
    clearTimeout(timer);
  }
};

await serve(run, errorOf);
