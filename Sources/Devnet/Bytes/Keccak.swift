/// Keccak-256, written here by hand so that an error in another implementation cannot hide behind the same one.
///
/// Source: the Keccak reference, version 3.0 (permutation f[1600], rate 1088 bits, capacity 512 bits, padding
/// 0x01 … 0x80). All work happens on raw pointers, since debug builds must hash thousands of keys a second.
enum Keccak {
  /// Rate in bytes: what one permutation absorbs.
  private static let rate = 136

  /// The 32-byte digest of `data`.
  static func hash256(_ data: Bytes) -> Bytes {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 60) { memory -> Bytes in
      memory.initialize(repeating: 0)
      guard let state = memory.baseAddress else { return [] }
      let scratch = state + 25
      var padded = data
      padded.append(1)
      while padded.count % rate != 0 { padded.append(0) }
      padded[padded.count - 1] |= 0x80
      padded.withUnsafeBytes { source in
        var offset = 0
        while offset < source.count {
          for lane in 0..<(rate / 8) {
            let word = source.loadUnaligned(fromByteOffset: offset &+ lane &* 8, as: UInt64.self)
            state[lane] ^= UInt64(littleEndian: word)
          }
          permute(state, scratch)
          offset &+= rate
        }
      }
      return Bytes(unsafeUninitializedCapacity: 32) { target, count in
        for index in 0..<32 {
          target[index] = UInt8(truncatingIfNeeded: state[index &>> 3] &>> UInt64((index & 7) &* 8))
        }
        count = 32
      }
    }
  }

  /// The 24 rounds of Keccak-f[1600] over 25 lanes; `scratch` has room for 25 lanes and 10 column words.
  private static func permute(_ state: UnsafeMutablePointer<UInt64>, _ scratch: UnsafeMutablePointer<UInt64>) {
    let columns = scratch + 25
    rotationOfLane.withUnsafeBufferPointer { rotations in
      targetOfLane.withUnsafeBufferPointer { targets in
        for round in 0..<24 {
          for x in 0..<5 {
            columns[x] = state[x] ^ state[x &+ 5] ^ state[x &+ 10] ^ state[x &+ 15] ^ state[x &+ 20]
          }
          for x in 0..<5 {
            let right = columns[x == 4 ? 0 : x &+ 1]
            columns[x &+ 5] = columns[x == 0 ? 4 : x &- 1] ^ (right &<< 1 | right &>> 63)
          }
          var column = 5
          for lane in 0..<25 {
            let word = state[lane] ^ columns[column]
            let rotation = rotations[lane]
            // A shift by 64 &- 0 wraps to a shift by 0, which leaves lane 0 as it is.
            scratch[targets[lane]] = word &<< rotation | word &>> (64 &- rotation)
            column = column == 9 ? 5 : column &+ 1
          }
          var row = 0
          while row < 25 {
            for x in 0..<5 {
              let next = scratch[row &+ (x == 4 ? 0 : x &+ 1)]
              let afterNext = scratch[row &+ (x >= 3 ? x &- 3 : x &+ 2)]
              state[row &+ x] = scratch[row &+ x] ^ (~next & afterNext)
            }
            row &+= 5
          }
          state[0] ^= roundConstants[round]
        }
      }
    }
  }

  /// Rotation offset of lane x + 5y (step ρ).
  private static let rotationOfLane: [UInt64] = [
    0, 1, 62, 28, 27,
    36, 44, 6, 55, 20,
    3, 10, 43, 25, 39,
    41, 45, 15, 21, 8,
    18, 2, 61, 56, 14,
  ]

  /// Where lane x + 5y goes (step π): to y + 5·(2x + 3y mod 5).
  private static let targetOfLane: [Int] = (0..<25).map { lane in
    let (x, y) = (lane % 5, lane / 5)
    return y + 5 * ((2 * x + 3 * y) % 5)
  }

  /// Step ι.
  private static let roundConstants: [UInt64] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
  ]
}
