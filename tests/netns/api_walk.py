#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walks every operation of the OpenAPI document that a running node serves: without a credential, with
a wrong one and with the admin token; each status must be documented and each JSON body be of its schema.

usage: api_walk.py URL TOKEN_FILE SESSION
"""
import json
import re
import sys
import urllib.error
import urllib.request

TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'integer': int, 'null': type(None)}


def call(url, method, token=None, body=None, headers=None):
    headers = dict(headers or {})
    if token is not None:
        headers['Authorization'] = 'Bearer ' + token
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers['Content-Type'] = 'application/json'
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def resolve(doc, node):
    while '$ref' in node:
        target = doc
        for part in node['$ref'][2:].split('/'):
            target = target[part]
        node = target
    return node


# As much of JSON Schema as the document uses.
def check(doc, schema, value, where):
    schema = resolve(doc, schema)
    kinds = schema.get('type')
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, TYPES[kind]) and not (kind == 'integer' and isinstance(value, bool))
                         for kind in kinds):
        return [f'{where} is {value!r}, not {kinds}']
    if 'enum' in schema and value not in schema['enum']:
        return [f'{where} is {value!r}, none of {schema["enum"]}']
    if isinstance(value, str) and 'pattern' in schema and not re.search(schema['pattern'], value):
        return [f'{where} is {value!r}, not {schema["pattern"]}']
    wrong = []
    if isinstance(value, dict):
        wrong += [f'{where} has no {name}' for name in schema.get('required', []) if name not in value]
        for name, inner in schema.get('properties', {}).items():
            if name in value:
                wrong += check(doc, inner, value[name], f'{where}.{name}')
    if isinstance(value, list) and 'items' in schema:
        for i, item in enumerate(value):
            wrong += check(doc, schema['items'], item, f'{where}[{i}]')
    return wrong


EXAMPLES = {'generate_key': True, 'quota_bytes': 1000000, 'duration_sec': 3600, 'bytes': 1000, 'name': 'walked',
            'cumulative_bytes': 1,
            'message': 'no message', 'signature': '0x' + '00' * 65}


def example_body(doc, operation):
    if 'requestBody' not in operation:
        return None
    schema = resolve(doc, operation['requestBody']['content']['application/json']['schema'])
    body = {name: EXAMPLES[name] for name in schema['properties'] if name in EXAMPLES}
    if 'generate_key' in body:
        body.pop('signature', None)  # the node's key instead of the buyer's
    return body


class Walk:
    def __init__(self, url, token, session):
        self.url, self.token, self.session = url, token, session
        self.wrong, self.n = [], 0
        self.doc = json.loads(call(url + '/api/v1/openapi.json', 'GET')[2])

    def check_reply(self, what, operation, reply, only=None):
        status, headers, body = reply
        self.n += 1
        documented = operation['responses']
        if str(status) not in documented or (only is not None and status not in only):
            self.wrong.append(f'{what}: {status}, not {only or sorted(documented)}: {body[:200]!r}')
            return
        kind = (headers.get('Content-Type') or '').split(';')[0]
        content = resolve(self.doc, documented[str(status)]).get('content', {})
        if (kind or None) not in (content or {None: 0}):
            self.wrong.append(f'{what}: {status} comes as {kind!r}, not {sorted(content)}')
        elif kind.endswith('json'):
            self.wrong += check(self.doc, content[kind]['schema'], json.loads(body), f'{what}: body')

    def fill(self, path):
        examples = {'name-or-id': self.session, 'id': '1', 'address': '0x' + '0' * 40}
        return re.sub(r'\{([\w-]+)\}', lambda brace: examples[brace[1]], path)

    # Asked again with its entity tag it is not sent again. What it tells may have moved meanwhile: then it
    # comes with another tag, and standing still for one question in twenty is not asked too much.
    def check_not_modified(self, what, operation, url, token, reply):
        for _ in range(20):
            etag = reply[1].get('ETag')
            if etag is None:  # a secret
                if reply[1].get('Cache-Control') != 'no-store':
                    self.wrong.append(f'{what}: without a tag, and not no-store')
                return
            reply = call(url, 'GET', token, None, {'If-None-Match': etag})
            self.check_reply(f'{what} again', operation, reply, {200, 304})
            if reply[0] != 200:
                return
            if reply[1].get('ETag') == etag:
                break
        self.wrong.append(f'{what}: sent again, tagged {etag} before and {reply[1].get("ETag")} now')

    def walk(self, path, method, operation):
        what = f'{method.upper()} {path}'
        url = self.url + self.fill(path)
        security = operation['security']
        body = example_body(self.doc, operation)
        if security:
            for token in (*(() if {} in security else (None,)), 'wrong', self.token + 'x', self.token[:-1], ''):
                self.check_reply(f'{what} with {token!r}', operation, call(url, method.upper(), token, body), {401})
        # A body that is no JSON, and one that is no object, are never served.
        if body is not None:
            for bad in ([], 'text', {**body, 'unknown_member': 1}):
                self.check_reply(f'{what} of {bad!r}', operation, call(url, method.upper(), self.token, bad), {400})
        reply = call(url, method.upper(), self.token if security else None, body)
        self.check_reply(what, operation, reply)
        if '304' in operation['responses'] and reply[0] == 200:
            self.check_not_modified(what, operation, url, self.token if security else None, reply)
        return reply[0]

    def run(self):
        served = 0
        operations = [(path, method, item[method]) for path, item in self.doc['paths'].items()
                      for method in item if method != 'parameters']
        # What others need comes first, what ends a session last.
        order = {'peer': -1, 'forget-key': 1, 'end': 2}
        for path, method, operation in sorted(
                operations, key=lambda row: 3 if row[1] == 'delete' else order.get(row[0].split('/')[-1], 0)):
            served += self.walk(path, method, operation) < 300
        for path, item in self.doc['paths'].items():
            url = self.url + self.fill(path)
            for method in ('put', 'patch', 'head'):
                if method not in item and call(url, method.upper(), self.token)[0] != 405:
                    self.wrong.append(f'{method} {path} is not refused')
        return len(operations), served


def main():
    url, token_file, session = sys.argv[1:]
    with open(token_file, encoding='ascii') as file:
        walk = Walk(url, file.read().strip(), session)
    n_operations, served = walk.run()
    for line in walk.wrong:
        print(line)
    print(f'{n_operations} operations, {served} served, {walk.n} replies checked, {len(walk.wrong)} wrong')
    return 1 if walk.wrong or served < n_operations // 2 else 0


if __name__ == '__main__':
    sys.exit(main())
