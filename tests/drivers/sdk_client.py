"""A client on the Python SDK: takes stock of a server, makes some calls, prints what it got as JSON.

  sdk_client.py MODE PLAN.json -- COMMAND…

MODE: legacy (the initialize handshake) or a stateless revision (2026-07-28).
PLAN.json: {"calls": [{"tool": …, "arguments": {…}}], "prompts": [{"name": …, "arguments": {…}}], "resources": [URI…]}
A call that fails is reported as {"error": {code, message}}; a tool's own failure as {"isError": true, …}.
"""
import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def outcome(awaitable):
    try:
        return plain(await awaitable)
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message}}


async def listed(method, field):
    """All pages of a list, or the error that the server gives instead."""
    items, cursor = [], None
    while True:
        try:
            page = await method(cursor=cursor)
        except MCPError as error:
            return {"error": {"code": error.error.code, "message": error.error.message}}
        items += [plain(item) for item in getattr(page, field)]
        cursor = page.next_cursor
        if cursor is None:
            return items


async def main():
    mode, plan, dashes, command, *arguments = sys.argv[1:]
    assert dashes == "--", __doc__
    with open(plan) as file:
        plan = json.load(file)
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with Client(server, mode=mode, cache=None, read_timeout_seconds=60) as client:
        has = client.server_capabilities
        result = {
            "protocol": client.protocol_version,
            "server": client.server_info.name if client.server_info else None,
            "tools": await listed(client.list_tools, "tools"),
            "prompts": await listed(client.list_prompts, "prompts") if has.prompts else [],
            "resources": await listed(client.list_resources, "resources") if has.resources else [],
            "calls": [await outcome(client.call_tool(c["tool"], c.get("arguments"))) for c in plan.get("calls", [])],
            "got_prompts": [
                await outcome(client.get_prompt(p["name"], p.get("arguments"))) for p in plan.get("prompts", [])
            ],
            "read": [await outcome(client.read_resource(uri)) for uri in plan.get("resources", [])],
        }
    print(json.dumps(result))


asyncio.run(main())
