/// Keccak-256 with the padding of Ethereum and TRON (first pad byte 0x01), which NIST changed for SHA-3 later.
///
/// Source: "The Keccak reference" 3.0, Keccak[c = 512]: rate 136 bytes, 24 rounds over 25 lanes of 64 bits.
public enum Keccak256 {
  private static let rate = 136

  /// The 32-byte hash.
  public static func hash(_ message: some Sequence<UInt8>) -> [UInt8] {
    var state = KeccakState()
    var block: [UInt8] = []
    block.reserveCapacity(rate)
    for byte in message {
      block.append(byte)
      if block.count == rate {
        state.absorb(block)
        block.removeAll(keepingCapacity: true)
      }
    }
    block.append(0x01)
    block.append(contentsOf: repeatElement(0, count: rate - block.count))
    block[rate - 1] |= 0x80
    state.absorb(block)
    return state.squeeze()
  }
}

/// The sponge's 1600 bits: lane (x, y) stands at index x + 5y, little endian.
private struct KeccakState {
  private var lanes = [UInt64](repeating: 0, count: 25)

  private static let roundConstants: [UInt64] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
  ]
  /// Where rho and pi, done in one walk, move the lane in hand, and by how many bits they turn it.
  private static let walk: [(lane: Int, rotation: UInt64)] = {
    var steps: [(lane: Int, rotation: UInt64)] = []
    var (x, y) = (1, 0)
    for step in 1...24 {
      (x, y) = (y, (2 * x + 3 * y) % 5)
      steps.append((x + 5 * y, UInt64(step * (step + 1) / 2 % 64)))
    }
    return steps
  }()

  /// One block of 17 little-endian lanes, then the permutation.
  mutating func absorb(_ block: [UInt8]) {
    for index in block.indices {
      lanes[index / 8] ^= UInt64(block[index]) << UInt64(index % 8 * 8)
    }
    for constant in KeccakState.roundConstants { permute(constant) }
  }

  /// The first 32 bytes.
  func squeeze() -> [UInt8] {
    lanes.prefix(4).flatMap { lane in (0..<8).map { UInt8(truncatingIfNeeded: lane >> ($0 * 8)) } }
  }

  private mutating func permute(_ roundConstant: UInt64) {
    // Theta
    let (c0, c1, c2, c3, c4) = (column(0), column(1), column(2), column(3), column(4))
    mix(column: 0, with: c4 ^ rotated(c1, by: 1))
    mix(column: 1, with: c0 ^ rotated(c2, by: 1))
    mix(column: 2, with: c1 ^ rotated(c3, by: 1))
    mix(column: 3, with: c2 ^ rotated(c4, by: 1))
    mix(column: 4, with: c3 ^ rotated(c0, by: 1))
    // Rho and pi
    var lane = lanes[1]
    for step in KeccakState.walk {
      let next = lanes[step.lane]
      lanes[step.lane] = rotated(lane, by: step.rotation)
      lane = next
    }
    // Chi
    for y in stride(from: 0, to: 25, by: 5) {
      let (r0, r1, r2, r3, r4) = (lanes[y], lanes[y + 1], lanes[y + 2], lanes[y + 3], lanes[y + 4])
      lanes[y] = r0 ^ (~r1 & r2)
      lanes[y + 1] = r1 ^ (~r2 & r3)
      lanes[y + 2] = r2 ^ (~r3 & r4)
      lanes[y + 3] = r3 ^ (~r4 & r0)
      lanes[y + 4] = r4 ^ (~r0 & r1)
    }
    // Iota
    lanes[0] ^= roundConstant
  }

  private func column(_ x: Int) -> UInt64 {
    let upper = lanes[x] ^ lanes[x + 5] ^ lanes[x + 10]
    return upper ^ lanes[x + 15] ^ lanes[x + 20]
  }

  private mutating func mix(column x: Int, with change: UInt64) {
    for index in stride(from: x, to: 25, by: 5) { lanes[index] ^= change }
  }

  private func rotated(_ lane: UInt64, by count: UInt64) -> UInt64 { lane << count | lane >> ((64 - count) & 63) }
}
