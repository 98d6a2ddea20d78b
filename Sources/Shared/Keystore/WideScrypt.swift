import COpenSSL

/// Scrypt (RFC 7914) for the few costs that OpenSSL refuses, see `ScryptCost.isBeyondRFC7914`: its mixing step between
/// two calls of OpenSSL's PBKDF2. Only ever used to open such files; what is written here has r = 8.
enum WideScrypt {
  /// Words of 32 bits in a block of Salsa20.
  private static let salsaWords = 16

  /// - Returns: false where OpenSSL refuses.
  static func derive(
    _ passphrase: UnsafeRawBufferPointer, salt: [UInt8], cost: ScryptCost, into derived: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let blockWords = 32 * cost.r
    let blocks = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * blockWords * cost.p, alignment: 64)
    let table = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: blockWords * (cost.n + 2))
    defer {
      OPENSSL_cleanse(blocks.baseAddress, blocks.count)
      OPENSSL_cleanse(table.baseAddress, 4 * table.count)
      blocks.deallocate()
      table.deallocate()
    }
    table.initialize(repeating: 0)
    guard let memory = table.baseAddress,
      KeyDerivation.pbkdf2(passphrase, salt: salt, iterations: 1, into: blocks)
    else { return false }
    let words = blocks.bindMemory(to: UInt32.self)
    for start in stride(from: 0, to: words.count, by: blockWords) {
      guard let block = words.baseAddress else { return false }
      mix(block + start, blockWords: blockWords, n: cost.n, table: memory)
    }
    return KeyDerivation.pbkdf2(passphrase, salt: UnsafeRawBufferPointer(blocks), iterations: 1, into: derived)
  }

  /// scryptROMix: fills a table of n blocks, then walks through it by the numbers it finds. The table has two blocks
  /// more, the state and a draft of the next. Words are little endian, as on every machine Swift runs on.
  private static func mix(
    _ block: UnsafeMutablePointer<UInt32>, blockWords: Int, n: Int, table: UnsafeMutablePointer<UInt32>
  ) {
    var state = table + n * blockWords
    var draft = state + blockWords
    state.update(from: block, count: blockWords)
    for row in 0..<n {
      (table + row * blockWords).update(from: state, count: blockWords)
      mixBlock(state, into: draft, blockWords)
      swap(&state, &draft)
    }
    for _ in 0..<n {
      let row = table + Int(state[blockWords - salsaWords]) % n * blockWords
      var word = 0
      while word < blockWords {
        state[word] ^= row[word]
        word &+= 1
      }
      mixBlock(state, into: draft, blockWords)
      swap(&state, &draft)
    }
    block.update(from: state, count: blockWords)
  }

  /// scryptBlockMix: even blocks of Salsa20 go to the first half, odd ones to the second.
  private static func mixBlock(
    _ input: UnsafeMutablePointer<UInt32>, into output: UnsafeMutablePointer<UInt32>, _ blockWords: Int
  ) {
    let count = blockWords / salsaWords
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * salsaWords) { scratch in
      guard let sum = scratch.baseAddress else { return }
      let rounds = sum + salsaWords
      sum.initialize(from: input + (blockWords - salsaWords), count: salsaWords)
      for index in 0..<count {
        let source = input + index * salsaWords
        var word = 0
        while word < salsaWords {
          sum[word] ^= source[word]
          rounds[word] = sum[word]
          word &+= 1
        }
        for _ in 0..<4 { doubleRound(rounds) }
        word = 0
        while word < salsaWords {
          sum[word] &+= rounds[word]
          word &+= 1
        }
        (output + (index / 2 + index % 2 * (count / 2)) * salsaWords).update(from: sum, count: salsaWords)
      }
    }
  }

  /// One column round and one row round of Salsa20.
  private static func doubleRound(_ x: UnsafeMutablePointer<UInt32>) {
    quarter(x, 0, 4, 8, 12)
    quarter(x, 5, 9, 13, 1)
    quarter(x, 10, 14, 2, 6)
    quarter(x, 15, 3, 7, 11)
    quarter(x, 0, 1, 2, 3)
    quarter(x, 5, 6, 7, 4)
    quarter(x, 10, 11, 8, 9)
    quarter(x, 15, 12, 13, 14)
  }

  private static func quarter(_ x: UnsafeMutablePointer<UInt32>, _ a: Int, _ b: Int, _ c: Int, _ d: Int) {
    let first = x[a] &+ x[d]
    x[b] ^= first &<< 7 | first &>> 25
    let second = x[b] &+ x[a]
    x[c] ^= second &<< 9 | second &>> 23
    let third = x[c] &+ x[b]
    x[d] ^= third &<< 13 | third &>> 19
    let fourth = x[d] &+ x[c]
    x[a] ^= fourth &<< 18 | fourth &>> 14
  }
}
