#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Origin of wg_handshake_vectors.h. Answers the initiation of a real wireguard-go as an independent responder (hashlib
# and the Python package cryptography; no code of this project), with keys that are known, and writes down
# what went over the wire until wireguard-go sent its first transport data. Run as root:
#   unshare -n tests/vectors/wg_handshake_capture.py > tests/vectors/wg_handshake_vectors.h
import base64
import hashlib
import hmac
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

PORT = 51999


def blake2s(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(n, chaining_key, data):
    prk = hmac.new(chaining_key, data, hashlib.blake2s).digest()
    out, last = [], b""
    for i in range(n):
        last = hmac.new(prk, last + bytes([i + 1]), hashlib.blake2s).digest()
        out.append(last)
    return out


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private, public_key):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public_key))


def iv(counter):
    return bytes(4) + struct.pack("<Q", counter)


class Responder:
    def __init__(self, private, psk, ephemeral, index):
        self.private, self.psk, self.ephemeral, self.index = private, psk, ephemeral, index

    def answer(self, initiation):
        spub = public(self.private)
        kind, sender = struct.unpack_from("<II", initiation)
        assert kind == 1 and len(initiation) == 148
        assert mac(blake2s(b"mac1----", spub), initiation[:116]) == initiation[116:132]
        ck = blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        h = blake2s(blake2s(ck, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), spub)
        remote = initiation[8:40]
        ck = kdf(1, ck, remote)[0]
        h = blake2s(h, remote)
        ck, key = kdf(2, ck, dh(self.private, remote))
        static = ChaCha20Poly1305(key).decrypt(iv(0), initiation[40:88], h)
        h = blake2s(h, initiation[40:88])
        ck, key = kdf(2, ck, dh(self.private, static))
        self.timestamp = ChaCha20Poly1305(key).decrypt(iv(0), initiation[88:116], h)
        h = blake2s(h, initiation[88:116])
        epub = public(self.ephemeral)
        ck = kdf(1, ck, epub)[0]
        h = blake2s(h, epub)
        ck = kdf(1, ck, dh(self.ephemeral, remote))[0]
        ck = kdf(1, ck, dh(self.ephemeral, static))[0]
        ck, tau, key = kdf(3, ck, self.psk)
        h = blake2s(h, tau)
        response = struct.pack("<III", 2, self.index, sender) + epub
        response += ChaCha20Poly1305(key).encrypt(iv(0), b"", h)
        response += mac(blake2s(b"mac1----", static), response) + bytes(16)
        self.receive_key, self.send_key = kdf(2, ck, b"")
        self.static = static
        return response


def wg(command, **kwargs):
    return subprocess.run(command, check=True, **kwargs)


def capture(name, with_psk, number):
    client, server, ephemeral = os.urandom(32), os.urandom(32), os.urandom(32)
    psk = os.urandom(32) if with_psk else bytes(32)
    tun = f"twv{os.getpid() % 10000}{number}"
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", PORT + number))
    sock.settimeout(10)
    log = open(os.devnull, "w")
    process = subprocess.Popen(["wireguard-go", "--foreground", tun], stdout=log, stderr=log)
    try:
        for _ in range(100):
            if os.path.exists(f"/var/run/wireguard/{tun}.sock"):
                break
            time.sleep(0.05)
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for what, key in (("private", client), ("psk", psk)):
                files[what] = os.path.join(folder, what)
                with open(files[what], "wb") as file:
                    file.write(base64.b64encode(key) + b"\n")
            command = ["wg", "set", tun, "private-key", files["private"], "peer"]
            command += [base64.b64encode(public(server)).decode()]
            if with_psk:
                command += ["preshared-key", files["psk"]]
            command += ["endpoint", f"127.0.0.1:{PORT + number}", "allowed-ips", "10.99.0.0/24"]
            wg(command + ["persistent-keepalive", "1"])
        wg(["ip", "link", "set", tun, "up"])
        initiation, address = sock.recvfrom(2048)
        responder = Responder(server, psk, ephemeral, 0x01020304 + number)
        response = responder.answer(initiation)
        assert responder.static == public(client)
        sock.sendto(response, address)
        data, _ = sock.recvfrom(2048)
        kind, index, counter = struct.unpack_from("<IIQ", data)
        assert kind == 4 and index == responder.index
        plain = ChaCha20Poly1305(responder.receive_key).decrypt(iv(counter), data[16:], b"")
    finally:
        process.terminate()
        process.wait()
        sock.close()
    rows = (
        ("initiator_private", client), ("responder_private", server), ("preshared_key", psk),
        ("responder_ephemeral", ephemeral), ("timestamp", responder.timestamp), ("initiation", initiation),
        ("response", response), ("data", data), ("plain", plain),
        ("receive_key", responder.receive_key), ("send_key", responder.send_key),
    )
    print(f'\t{{\n\t\t.name = "{name}",\n\t\t.responder_index = {responder.index:#x},')
    for field, value in rows:
        text = value.hex()
        lines = [text[i:i + 80] for i in range(0, len(text), 80)] or [""]
        print(f"\t\t.{field} =\n\t\t\t" + "\n\t\t\t".join(f'"{line}"' for line in lines) + ",")
    print("\t},")


def main():
    wg(["ip", "link", "set", "lo", "up"])
    print("// SPDX-License-Identifier: Apache-2.0")
    print("//")
    print("// Handshakes of wireguard-go (Debian 12) as initiator, and its first transport data, captured with known")
    print("// keys and answered by an independent responder: see wg_handshake_capture.py. Bytes in hex.")
    print("// The keys were made for this capture and protect nothing.")
    print("#ifndef WG_HANDSHAKE_VECTORS_H\n#define WG_HANDSHAKE_VECTORS_H\n\n#include <stdint.h>\n")
    print("struct wg_handshake_vector {\n\tconst char *name;\n\tuint32_t responder_index;")
    for field in ("initiator_private", "responder_private", "preshared_key", "responder_ephemeral", "timestamp",
                  "initiation", "response", "data", "plain", "receive_key", "send_key"):
        print(f"\tconst char *{field};")
    print("};\n\nstatic const struct wg_handshake_vector wg_handshake_vectors[] = {")
    capture("wireguard-go without preshared key", False, 0)
    capture("wireguard-go with preshared key", True, 1)
    print("};\n\n#endif")
    return 0


if __name__ == "__main__":
    sys.exit(main())
