#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSockets of a running node by an independent client: who is let in, what is told of a session that passes
traffic, changes of state, and the close when the session is over and when the node stops.

usage: live.py PORT TOKEN_FILE SESSION TWCTL CONFIG
"""
import asyncio
import json
import subprocess
import sys

import websockets

PATIENCE_SEC = 60


class Live:
    def __init__(self, port, token, session, twctl, config):
        self.url, self.token, self.session = f'ws://127.0.0.1:{port}/api/v1', token, session
        self.twctl = [twctl, '--config', config, 'session']

    def open(self, path, token=None, subprotocols=None):
        headers = {'Authorization': 'Bearer ' + token} if token else {}
        return websockets.connect(self.url + path, extra_headers=headers, subprotocols=subprotocols, open_timeout=PATIENCE_SEC)

    async def refused(self, path, status, **how):
        try:
            async with self.open(path, **how):
                raise SystemExit(f'{path} with {how} was let in')
        except websockets.exceptions.InvalidStatusCode as error:
            assert error.status_code == status, f'{path} with {how}: {error.status_code}, not {status}'

    async def until(self, socket, what, check):
        seen = []
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_SEC))
            seen.append(message)
            if check(message):
                return seen
            assert len(seen) < 1000, f'never: {what}'

    def run(self, *args):
        subprocess.run([*self.twctl, *args], check=True, stdout=subprocess.DEVNULL)

    async def access(self):
        own = f'/sessions/{self.session}/live'
        for path in (own, '/operator/live'):
            await self.refused(path, 401)
            for token in ('wrong', self.token + 'x', self.token[:-1]):
                await self.refused(path, 401, token=token)
                await self.refused(path, 401, subprotocols=['tollwire-live', 'bearer.' + token])
        await self.refused('/sessions/nothing/live', 404, token=self.token)
        async with self.open(own, subprotocols=['tollwire-live', 'bearer.' + self.token]) as socket:
            assert socket.subprotocol == 'tollwire-live', socket.subprotocol
            await asyncio.wait_for(socket.recv(), PATIENCE_SEC)

    async def session_story(self):
        async with self.open(f'/sessions/{self.session}/live', self.token) as socket:
            first = await self.until(socket, 'usage', lambda m: m['type'] == 'usage' and m['used_bytes'] > 0)
            assert first[0]['type'] == 'state', first[0]
            now = first[-1]['used_bytes']
            seen = await self.until(socket, 'traffic', lambda m: m['type'] == 'usage' and m['used_bytes'] > now
                                    and m['out_bits_per_sec'] + m['in_bits_per_sec'] > 0)
            last = seen[-1]
            assert last['used_bytes'] == last['out_bytes'] + last['in_bytes'], last
            assert last['left_bytes'] == last['quota_bytes'] - last['used_bytes'], last
            assert 0 < last['seconds_left'] <= 3600, last
            self.run('suspend', self.session)
            await self.until(socket, 'suspended', lambda m: m['type'] == 'state' and m['state'] == 'suspended')
            self.run('resume', self.session)
            await self.until(socket, 'resumed', lambda m: m['type'] == 'state' and m['state'] != 'suspended')
            self.run('remove', self.session)
            try:
                await self.until(socket, 'the end', lambda m: False)
            except websockets.exceptions.ConnectionClosed as closed:
                assert closed.rcvd.code == 1000, closed
                assert closed.rcvd.reason == 'the session is over', closed

    async def operator_story(self, ready, done):
        async with self.open('/operator/live', self.token) as socket:
            seen = await self.until(socket, 'the node', lambda m: m['type'] == 'node')
            assert seen[-1]['is_dataplane_attached'] is True, seen
            ready.set()
            for state in ('suspended', 'draining'):
                await self.until(socket, state, lambda m: m['type'] == 'state' and m['state'] == state and m['name'] == self.session)
            await done.wait()
            print('listening', flush=True)
            try:
                await self.until(socket, 'the close', lambda m: False)
            except websockets.exceptions.ConnectionClosed as closed:
                assert closed.rcvd.code == 1001, closed

    async def all(self):
        await self.access()
        ready, done = asyncio.Event(), asyncio.Event()
        operator = asyncio.create_task(self.operator_story(ready, done))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({operator, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await self.session_story()
        done.set()
        await operator


def main():
    port, token_file, session, twctl, config = sys.argv[1:]
    with open(token_file, encoding='ascii') as file:
        asyncio.run(Live(port, file.read().strip(), session, twctl, config).all())
    print('live.py: all as it should be')


if __name__ == '__main__':
    main()
