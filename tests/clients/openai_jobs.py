"""Runs jobs with the chat completions of the official `openai` package: see jobs.py."""

import array
import base64
import json

import openai

from jobs import SECONDS, Entered, Weather, each, error_of, forecast, got, serve


def client_of(job):
    kind = openai.AsyncOpenAI if job["sdk"].endswith("async") else openai.OpenAI
    return kind(
        base_url=job["url"],
        api_key=job["key"],
        max_retries=job.get("retries", 0),
        timeout=SECONDS,
        default_headers=job.get("headers") or {},
    )


def failure(error):
    return error_of(error, openai.APIError)


def usage_of(usage):
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "total": usage.total_tokens,
        "cached": prompt and prompt.cached_tokens or 0,
        "reasoning": completion and completion.reasoning_tokens or 0,
    }


def whole(completion):
    choices = completion.choices
    calls = choices[0].message.tool_calls or []
    return {
        "texts": [choice.message.content for choice in choices],
        "finish": choices[0].finish_reason,
        "usage": usage_of(completion.usage),
        "tools": [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in calls],
    }


class Streamed:
    """What the chunks of a stream add up to."""

    def __init__(self, stop_after):
        self.texts, self.tools, self.finish, self.usage, self.tokens = [], [], None, None, 0
        self.stop_after = stop_after

    def add(self, chunk):
        """Takes a chunk; true when enough has been seen."""
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            while len(self.texts) <= choice.index:
                self.texts.append("")
            self.texts[choice.index] += choice.delta.content or ""
            self.tokens += 1 if choice.delta.content else 0
            self.finish = choice.finish_reason or self.finish
            for call in choice.delta.tool_calls or []:
                self.add_call(call)
        return self.stop_after is not None and self.tokens >= self.stop_after

    def add_call(self, call):
        while len(self.tools) <= call.index:
            self.tools.append({"id": None, "name": "", "arguments": ""})
        known = self.tools[call.index]
        known["id"] = call.id or known["id"]
        known["name"] += call.function.name or ""
        known["arguments"] += call.function.arguments or ""

    def outcome(self, error=None):
        texts, tools = self.texts, self.tools
        outcome = {"texts": texts, "finish": self.finish, "usage": usage_of(self.usage), "tools": tools}
        return outcome if error is None else {**outcome, "error": failure(error)}


def tool_results(outcome):
    """The messages that answer a turn's tool calls."""
    calls = [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
        for c in outcome["tools"]
    ]
    said = [
        {"role": "tool", "tool_call_id": c["id"], "content": forecast(json.loads(c["arguments"]))}
        for c in outcome["tools"]
    ]
    return [{"role": "assistant", "content": outcome["texts"][0] or None, "tool_calls": calls}, *said]


def embeddings(answer):
    return {"vectors": [item.embedding for item in answer.data], "usage_total": answer.usage.total_tokens}


def decoded(answer):
    """Base64 that was asked for by name comes back as text; without a name the SDK decodes it itself."""
    vectors = embeddings(answer)
    vectors["encoded"] = [isinstance(vector, str) for vector in vectors["vectors"]]
    vectors["vectors"] = [floats(vector) if isinstance(vector, str) else vector for vector in vectors["vectors"]]
    return vectors


def floats(text):
    return array.array("f", base64.b64decode(text)).tolist()


async def run(job):
    async with Entered(client_of(job)) as client:
        params, chat, models = job["params"], client.chat.completions, client.models

        async def streamed():
            state = Streamed(job.get("stop_after"))
            try:
                async with Entered(await got(chat.create(**params, stream=True))) as stream:
                    async for chunk in each(stream):
                        if state.add(chunk):
                            break
            except openai.OpenAIError as error:
                if not state.texts:
                    raise
                return state.outcome(error)
            return state.outcome()

        async def turn():
            return await streamed() if job.get("stream") else whole(await got(chat.create(**params)))

        async def final(**more):
            async with Entered(chat.stream(**params, **more)) as stream:
                return await got(stream.get_final_completion())

        match job["op"]:
            case "chat":
                return await turn()
            case "helper":
                return whole(await final())
            case "round":
                params["messages"] = [*params["messages"], *tool_results(await turn())]
                return await turn()
            case "parse":
                parsed = chat.parse(**params, response_format=Weather) if not job.get("stream") else None
                completion = await got(parsed) if parsed else await final(response_format=Weather)
                return whole(completion) | {"object": completion.choices[0].message.parsed.model_dump()}
            case "models":
                return {"models": [model.id async for model in each(models.list())]}
            case "model":
                return {"models": [(await got(models.retrieve(params["model"]))).id]}
            case "embed":
                return decoded(await got(client.embeddings.create(**params)))


serve(run, failure)
