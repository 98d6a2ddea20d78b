"""Receives webhooks as a client would, and verifies each one (used by ops/demo).

Environment: WEBHOOK_SECRET_FILE (a file with the owner's secret, whsec_…). Prints WEBHOOK_URL first, then one line of JSON
for each request: payout, event, and whether its signature, its age and its id are as the Standard Webhooks specification
wants them. A request that does not verify is answered with 400 and counts for nothing. Standard library only.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import time

# How old a delivery may be: a recorded one that somebody sends again later is refused.
TOLERANCE_SECONDS = 300
BODY_BYTES_MAX = 1 << 20


def secret():
    with open(os.environ["WEBHOOK_SECRET_FILE"], encoding="ascii") as file:
        return base64.b64decode(file.read().strip().removeprefix("whsec_"), validate=True)


def is_signed(headers, body):
    """Whether one of the signatures is the owner's, over this very id, time and body."""
    identity, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity or not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE_SECONDS:
        return False
    code = hmac.digest(secret(), f"{identity}.{moment}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(code).decode()
    return any(hmac.compare_digest(one, expected) for one in headers.get("webhook-signature", "").split(" "))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if 0 < length <= BODY_BYTES_MAX else b""
        is_verified = is_signed(self.headers, body)
        event = json.loads(body) if is_verified else {}
        line = {
            "is_verified": is_verified,
            "id": self.headers.get("webhook-id"),
            "type": event.get("type"),
            "payout_id": event.get("data", {}).get("payout_id"),
        }
        print(json.dumps(line), flush=True)
        self.send_response(204 if is_verified else 400)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(f"WEBHOOK_URL=http://127.0.0.1:{server.server_port}/hook", flush=True)
server.serve_forever()
