"""Run by Home Assistant's own Python, which has aiohttp: sends commands from the input, prints their answers."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp  # type: ignore[import-not-found]


async def main(url: str) -> None:
    asked = json.load(sys.stdin)
    answers = []
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": asked["token"]})
        welcome = await socket.receive_json()
        assert welcome["type"] == "auth_ok", welcome
        for number, command in enumerate(asked["commands"], 1):
            await socket.send_json({"id": number, **command})
            answer = await socket.receive_json()
            assert answer["success"], answer
            answers.append(answer["result"])
    json.dump(answers, sys.stdout)


asyncio.run(main(sys.argv[1]))
