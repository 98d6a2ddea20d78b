"""Signs compliance statements with nothing but integers: an independent word on ComplianceStatement.swift.

    python3 sign_statements.py

Each line it prints is one row of ComplianceStatementVectors.swift, which holds this output: what is stated, its SHA-256,
the authority's address and the signature. secp256k1 as SEC 2 §2.4.1 gives it, nonces as RFC 6979 §3.2, addresses as the
protocol reference §1.1, Keccak-256 as the Keccak submission gives it.
"""
import hashlib
import hmac

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(point, scalar):
    product = None
    while scalar:
        if scalar & 1:
            product = add(product, point)
        point = add(point, point)
        scalar >>= 1
    return product


def keccak256(data):
    lanes = [0] * 25
    rate = 136
    data = bytearray(data) + b"\x01"
    data += bytes(-len(data) % rate)
    data[-1] |= 0x80
    mask = 2**64 - 1

    def turn(lane, count):
        count %= 64
        return ((lane << count) | (lane >> (64 - count))) & mask

    for begin in range(0, len(data), rate):
        for i in range(rate // 8):
            lanes[i] ^= int.from_bytes(data[begin + 8 * i : begin + 8 * i + 8], "little")
        register = 1
        for _ in range(24):
            columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
            for x in range(5):
                change = columns[(x + 4) % 5] ^ turn(columns[(x + 1) % 5], 1)
                for y in range(5):
                    lanes[x + 5 * y] ^= change
            (x, y), carried = (1, 0), lanes[1]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                lanes[x + 5 * y], carried = turn(carried, (step + 1) * (step + 2) // 2), lanes[x + 5 * y]
            for y in range(5):
                row = lanes[5 * y : 5 * y + 5]
                for x in range(5):
                    lanes[x + 5 * y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            for j in range(7):
                register = ((register << 1) ^ ((register >> 7) * 0x71)) % 256
                if register & 2:
                    lanes[0] ^= 1 << ((1 << j) - 1)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def address(key):
    x, y = multiply(G, key)
    return b"\x41" + keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[-20:]


def nonces(key, digest):
    """RFC 6979 §3.2 with SHA-256."""
    message = (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    k, v = bytes(32), b"\x01" * 32
    for byte in (b"\x00", b"\x01"):
        k = hmac.digest(k, v + byte + key.to_bytes(32, "big") + message, "sha256")
        v = hmac.digest(k, v, "sha256")
    while True:
        v = hmac.digest(k, v, "sha256")
        candidate = int.from_bytes(v, "big")
        if 0 < candidate < N:
            yield candidate
        k = hmac.digest(k, v + b"\x00", "sha256")
        v = hmac.digest(k, v, "sha256")


def sign(key, digest):
    """r, s and the recovery id; s is the lower one."""
    for nonce in nonces(key, digest):
        x, y = multiply(G, nonce)
        r = x % N
        s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * key) % N
        if r and s:
            v = (y & 1) | (2 if x >= N else 0)
            return (r, N - s, v ^ 1) if s > N // 2 else (r, s, v)


def digest(node, kyc_hash, recipient, amount, reason, nonce, valid_until):
    return hashlib.sha256(
        b"tron-payouts/compliance/v1\x00"
        + hashlib.sha256(node.encode()).digest()
        + kyc_hash
        + recipient
        + amount.to_bytes(8, "big")
        + hashlib.sha256(reason.encode()).digest()
        + nonce
        + valid_until.to_bytes(8, "big")
    ).digest()


def row(node, seed, amount, reason, valid_until):
    kyc_hash, nonce = hashlib.sha256(b"kyc" + seed).digest(), hashlib.sha256(b"nonce" + seed).digest()
    recipient = b"\x41" + hashlib.sha256(b"wallet" + seed).digest()[:20]
    key = int.from_bytes(hashlib.sha256(b"authority" + seed).digest(), "big")
    told = digest(node, kyc_hash, recipient, amount, reason, nonce, valid_until)
    r, s, v = sign(key, told)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    twin = r.to_bytes(32, "big") + (N - s).to_bytes(32, "big") + bytes([v ^ 1])
    parts = [kyc_hash, recipient, nonce, told, address(key), signature, twin]
    print("|".join([node, str(amount), reason, str(valid_until)] + [part.hex() for part in parts]))


row("node-1", b"1", 0, "kyc_verification", 1_800_000_000)
row("node-1", b"2", 12_500_000, "node_operation", 1_800_000_001)
row("Knoten Zürich/7", b"3", 10_000_000_000, "uptime_reward", 4_102_444_800)
row("n" * 128, b"4", 2**63 - 1, "maintenance_reward", 1)
