"""Runs jobs with the official `anthropic` package: see jobs.py."""

import json

import anthropic

from jobs import SECONDS, Entered, Weather, each, error_of, forecast, got, serve


def client_of(job):
    kind = anthropic.AsyncAnthropic if job["sdk"].endswith("async") else anthropic.Anthropic
    return kind(
        base_url=job["url"],
        api_key=job["key"],
        max_retries=job.get("retries", 0),
        timeout=SECONDS,
        default_headers=job.get("headers") or {},
    )


class Said:
    """What the blocks of an answer, whole or streamed, add up to."""

    def __init__(self, message=None):
        self.blocks, self.finish, self.usage, self.tokens = [], None, {}, 0
        if message is not None:
            self.blocks = [block.to_dict() for block in message.content]
            self.finish = message.stop_reason
            self.count(message.usage)

    def add(self, event):
        match event.type:
            case "message_start":
                self.count(event.message.usage)
            case "content_block_start":
                assert event.index == len(self.blocks)
                self.blocks.append(event.content_block.to_dict())
            case "content_block_delta":
                self.extend(self.blocks[event.index], event.delta)
            case "content_block_stop":
                block = self.blocks[event.index]
                if "json" in block:
                    block["input"] = json.loads(block.pop("json") or "{}")
            case "message_delta":
                self.finish = event.delta.stop_reason
                self.count(event.usage)

    def extend(self, block, delta):
        self.tokens += 1
        match delta.type:
            case "text_delta":
                block["text"] += delta.text
            case "thinking_delta":
                block["thinking"] += delta.thinking
            case "signature_delta":
                block["signature"] = delta.signature
            case "input_json_delta":
                block["json"] = block.get("json", "") + delta.partial_json

    def count(self, usage):
        self.usage |= {name: count for name, count in usage.to_dict().items() if count is not None}

    def of(self, kind):
        return [block for block in self.blocks if block["type"] == kind]

    def outcome(self, error=None):
        count = lambda name: self.usage.get(name) or 0
        cached, written = count("cache_read_input_tokens"), count("cache_creation_input_tokens")
        prompt = count("input_tokens") + cached + written
        return {
            "texts": ["".join(block["text"] for block in self.of("text"))],
            "thinking": "".join(block["thinking"] for block in self.of("thinking")),
            "finish": self.finish,
            "usage": {"prompt": prompt, "completion": count("output_tokens"), "cached": cached},
            "tools": [{"id": b["id"], "name": b["name"], "arguments": b.get("input")} for b in self.of("tool_use")],
            "error": error and failure(error),
        }


def failure(error):
    return error_of(error, anthropic.APIError)


def results(said):
    content = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": forecast(call["input"])}
        for call in said.of("tool_use")
    ]
    return [{"role": "assistant", "content": said.blocks}, {"role": "user", "content": content}]


async def run(job):
    async with Entered(client_of(job)) as client:
        params, messages = job["params"], client.messages

        async def streamed():
            said, error = Said(), None
            try:
                async with Entered(await got(messages.create(**params, stream=True))) as stream:
                    async for event in each(stream):
                        said.add(event)
                        if job.get("stop_after") and said.tokens >= job["stop_after"]:
                            break
            except anthropic.AnthropicError as raised:
                if not said.blocks:
                    raise
                error = raised
            return said, error

        async def turn():
            if job.get("stream"):
                return await streamed()
            return Said(await got(messages.create(**params))), None

        async def final(**more):
            async with Entered(messages.stream(**params, **more)) as stream:
                return await got(stream.get_final_message())

        match job["op"]:
            case "chat":
                said, error = await turn()
                return said.outcome(error)
            case "round":
                said, _ = await turn()
                params["messages"] = [*params["messages"], *results(said)]
                said, error = await turn()
                return said.outcome(error)
            case "helper":
                return Said(await final()).outcome()
            case "parse":
                whole = messages.parse(**params, output_format=Weather) if not job.get("stream") else None
                message = await got(whole) if whole else await final(output_format=Weather)
                return Said(message).outcome() | {"object": message.parsed_output.model_dump()}
            case "count":
                counted = await got(messages.count_tokens(**params))
                return {"counted": counted.input_tokens > 0}


serve(run, failure)
