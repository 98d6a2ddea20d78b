import NIOCore
import Testing

@testable import Redis

/// Shows the bytes of commands, the reading of URLs, and the waits between attempts, without a server.
@Suite struct RedisEncodingTests {
  @Test func `a command is an array of bulk strings with lengths in bytes`() {
    var buffer = ByteBuffer()
    RedisCommandEncoder.encode(["SET", "kéy", .bytes([0, 13, 10, 255]), -7, ""], into: &buffer)
    var expected = Array("*5\r\n$3\r\nSET\r\n$4\r\nkéy\r\n$4\r\n".utf8)
    expected += [0, 13, 10, 255]
    expected += Array("\r\n$2\r\n-7\r\n$0\r\n\r\n".utf8)
    #expect(Array(buffer.readableBytesView) == expected)
  }

  @Test func `every part of a URL is read`() throws {
    let full = try RedisEndpoint(url: "rediss://al%40ice:p%3Aa%2Fs@s:w@redis.example:7000/12")
    #expect(full.host == "redis.example" && full.port == 7000 && full.database == 12 && full.usesTLS)
    #expect(full.user == "al@ice" && full.password?.text == "p:a/s@s:w")
    let least = try RedisEndpoint(url: "redis://localhost")
    #expect(least.host == "localhost" && least.port == 6379 && least.database == 0 && !least.usesTLS)
    #expect(least.user == nil && least.password == nil)
    let address = try RedisEndpoint(url: "redis://:secret@[::1]:6380/")
    #expect(address.host == "::1" && address.port == 6380 && address.user == nil && address.password?.text == "secret")
    #expect(try RedisEndpoint(url: "redis://[::1]").port == 6379)
    #expect(try RedisEndpoint(url: "redis://h:1").port == 1)
    #expect(try RedisEndpoint(url: "redis://h:65535/65535").database == 65_535)
  }

  @Test(arguments: [
    "", "redis:", "redis://", "http://h", "redis://:6379", "redis://h:0", "redis://h:65536", "redis://h:",
    "redis://h:x",
    "redis://h:+1", "redis://h/x", "redis://h/-1", "redis://h/65536", "redis://h/1/2", "redis://h?db=1", "redis://h#1",
    "redis://user@h", "redis://user:@h", "redis://u:%zz@h", "redis://u:%4@h", "redis://u:%ff@h", "redis://[::1",
    "redis://[::1]x", "redis://h h", "redis://hé", "redis://" + String(repeating: "h", count: 2041),
  ])
  func `a URL that cannot be used is an error of configuration`(url: String) {
    #expect {
      try RedisEndpoint(url: url)
    } throws: { error in
      (error as? RedisError)?.code == .invalidConfiguration && (error as? RedisError)?.outcome == .notSent
    }
  }

  /// A password must not reach a log by any of the usual ways, a parse error included.
  @Test func `no description of an endpoint or of its error shows the password`() throws {
    let endpoint = try RedisEndpoint(url: "redis://bob:hunter2@h:1")
    var dumped = ""
    dump(endpoint, to: &dumped)
    for text in ["\(endpoint)", String(reflecting: endpoint), dumped, String(reflecting: Optional(endpoint))] {
      #expect(!text.contains("hunter2"))
    }
    #expect {
      try RedisEndpoint(url: "redis://bob:hunter2@h:99999")
    } throws: { !"\($0)".contains("hunter2") }
  }

  /// Each step doubles up to the maximum, and the jitter stays between half and all of it, reaching near both ends.
  @Test func `waits double up to the maximum with jitter between half and all`() {
    let backoff = RedisBackoff(baseMilliseconds: 50, maximumMilliseconds: 1_000)
    var generator = SeededGenerator(seed: 7)
    for (attempt, step) in [(1, 50), (2, 100), (3, 200), (4, 400), (5, 800), (6, 1_000), (7, 1_000), (Int.max, 1_000)] {
      let waits = (0..<2_000).map { _ in backoff.delayMilliseconds(attempt: attempt, using: &generator) }
      #expect(waits.allSatisfy { (step / 2...step).contains($0) })
      #expect(waits.contains { $0 < step * 6 / 10 } && waits.contains { $0 > step * 9 / 10 })
    }
  }
}

/// A generator whose numbers follow from its seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
