// Runs jobs with Vercel's `ai` and its OpenAI providers: one JSON object a line on standard input, one answer a line
// back. What a job and its answer hold: see openai_jobs.py. Parameters are this SDK's own; `tools` is written as in
// OpenAI's dialect, and each tool answers with what it was given.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.OPENCODE_CLIENTS_NODE}/`);
const { generateText, streamText, embedMany, tool, jsonSchema, isStepCount, Output } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");

const errorOf = (error) => ({
  class: error?.name ?? error?.constructor?.name ?? "?",
  is_api_error: error?.name === "AI_APICallError",
  status: error?.statusCode ?? null,
  message: String(error?.message ?? JSON.stringify(error)),
  type: error?.data?.error?.type ?? null,
  code: error?.data?.error?.code ?? null,
  param: error?.data?.error?.param ?? null,
});

const usageOf = (usage) =>
  usage?.outputTokens != null
    ? { prompt: usage.inputTokens, completion: usage.outputTokens, total: usage.totalTokens }
    : null;

const toolOf = (call) => ({ id: call.toolCallId, name: call.toolName, arguments: JSON.stringify(call.input) });

const toolsOf = (list, execute) =>
  Object.fromEntries(
    list.map(({ function: { name, description, parameters } }) => [
      name,
      tool({ description, inputSchema: jsonSchema(parameters), ...(execute && { execute }) }),
    ]),
  );

const provider = (job) => {
  const options = { baseURL: job.url, apiKey: job.key, headers: job.headers ?? {} };
  return job.sdk === "ai-openai"
    ? createOpenAI(options)
    : createOpenAICompatible({ ...options, name: "opencode", includeUsage: job.params.includeUsage ?? true });
};

const chatModel = (job) =>
  job.sdk === "ai-openai" ? provider(job).chat(job.params.model) : provider(job).chatModel(job.params.model);

const settings = (job, signal) => {
  const { model, tools, schema, includeUsage, ...params } = job.params;
  return {
    model: chatModel(job),
    maxRetries: job.retries ?? 0,
    abortSignal: signal,
    ...params,
    ...(tools && { tools: toolsOf(tools, job.op === "round" && (async (input) => `sun for ${JSON.stringify(input)}`)) }),
    ...(schema && { output: Output.object({ schema: jsonSchema(schema) }) }),
    ...(job.op === "round" && { stopWhen: isStepCount(3) }),
  };
};

const generated = async (job, signal) => {
  const result = await generateText(settings(job, signal));
  return {
    texts: [result.text],
    finish: result.finishReason,
    usage: usageOf(result.usage),
    tools: result.toolCalls.map(toolOf),
  };
};

const streamed = async (job, signal, abort) => {
  const state = { texts: [""], tools: [], finish: null, usage: null, tokens: 0 };
  const result = streamText({ ...settings(job, signal), onError: () => {} });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") {
      state.texts[0] += part.text;
      state.tokens += 1;
      if (job.stop_after != null && state.tokens >= job.stop_after) abort();
    } else if (part.type === "start-step") {
      // A step after a tool's result begins the answer anew.
      state.texts[0] = "";
    } else if (part.type === "tool-call") {
      state.tools.push(toolOf(part));
    } else if (part.type === "finish-step") {
      state.finish = part.finishReason;
      state.usage = usageOf(part.usage);
    } else if (part.type === "error") {
      state.error = errorOf(part.error);
    }
  }
  return state;
};

const embed = async (job, signal) => {
  const model =
    job.sdk === "ai-openai"
      ? provider(job).embedding(job.params.model)
      : provider(job).embeddingModel(job.params.model);
  const values = [job.params.input].flat();
  const { embeddings, usage } = await embedMany({ model, values, maxRetries: 0, abortSignal: signal });
  return { vectors: embeddings, encoded: embeddings.map(() => false), usage_total: usage.tokens };
};

const run = async (job) => {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, 25_000);
  try {
    if (job.op === "embed") return await embed(job, controller.signal);
    return job.stream ? await streamed(job, controller.signal, abort) : await generated(job, controller.signal);
  } finally {
    clearTimeout(timer);
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  run(job)
    .catch((error) => ({ error: errorOf(error) }))
    .then((outcome) => process.stdout.write(`${JSON.stringify({ id: job.id, outcome })}\n`));
}
