import NIOCore
import Testing

@testable import Redis

/// Shows that replies come out whole and in order however the bytes are cut, and that broken input is an error.
@Suite struct RedisReplyReaderTests {
  /// One of each shape, nested ones and binary ones among them.
  static let replies: [(wire: String, value: RedisValue)] = [
    ("+OK\r\n", .status("OK")),
    (":-9223372036854775808\r\n", .integer(.min)),
    (":9223372036854775807\r\n", .integer(.max)),
    ("$-1\r\n", .null),
    ("*-1\r\n", .null),
    ("$0\r\n\r\n", .bulk([])),
    ("*0\r\n", .array([])),
    ("$8\r\nab\r\ncd\r\n\r\n", .bulk(Array("ab\r\ncd\r\n".utf8))),
    ("-WRONGTYPE Operation against a key\r\n", .error(RedisServerError(text: "WRONGTYPE Operation against a key"))),
    (
      "*3\r\n$1\r\na\r\n*2\r\n:1\r\n*2\r\n$-1\r\n-ERR inner\r\n+QUEUED\r\n",
      .array([
        .bulk(Array("a".utf8)),
        .array([.integer(1), .array([.null, .error(RedisServerError(text: "ERR inner"))])]),
        .status("QUEUED"),
      ])
    ),
  ]

  static var wire: ByteBuffer { ByteBuffer(string: replies.map(\.wire).joined()) }

  /// Feeds the bytes in pieces of `size` and returns all replies.
  private func read(_ bytes: ByteBuffer, piece size: Int) throws -> [RedisValue] {
    var reader = RedisReplyReader(maximumReplyBytes: 1 << 20)
    var rest = bytes
    var values: [RedisValue] = []
    while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
      try reader.read(piece, into: &values)
    }
    return values
  }

  @Test func `every size of piece gives the same replies, from one byte to all at once`() throws {
    let bytes = Self.wire
    for size in 1...bytes.readableBytes {
      #expect(try read(bytes, piece: size) == Self.replies.map(\.value), "pieces of \(size)")
    }
  }

  /// A reply must come out with the byte that completes it, not with the next one.
  @Test func `a reply comes with its last byte`() throws {
    for (wire, value) in Self.replies {
      var reader = RedisReplyReader(maximumReplyBytes: 1 << 20)
      var values: [RedisValue] = []
      let bytes = Array(wire.utf8)
      for byte in bytes.dropLast() { try reader.read(ByteBuffer(bytes: [byte]), into: &values) }
      #expect(values.isEmpty)
      try reader.read(ByteBuffer(bytes: bytes.suffix(1)), into: &values)
      #expect(values == [value])
    }
  }

  /// Many replies in one buffer, more than the slice that is fed at once, with a boundary inside of almost every slice.
  @Test func `a hundred thousand replies in one buffer all come out`() throws {
    var bytes = ByteBuffer()
    for number in 0..<100_000 { bytes.writeString(":\(number)\r\n") }
    let values = try read(bytes, piece: bytes.readableBytes)
    #expect(values.count == 100_000)
    #expect(values.enumerated().allSatisfy { $1 == .integer(Int64($0)) })
  }

  @Test func `a bulk string of several slices keeps its bytes`() throws {
    let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var bytes = ByteBuffer(string: "$\(body.count)\r\n")
    bytes.writeBytes(body)
    bytes.writeString("\r\n:7\r\n")
    for size in [1000, 16_384, 16_385, bytes.readableBytes] {
      #expect(try read(bytes, piece: size) == [.bulk(body), .integer(7)])
    }
  }

  @Test func `replies before broken input are kept and the input is an error`() {
    var reader = RedisReplyReader(maximumReplyBytes: 1 << 20)
    var values: [RedisValue] = []
    #expect {
      try reader.read(ByteBuffer(string: "+OK\r\nHTTP/1.1 400 Bad Request\r\n"), into: &values)
    } throws: { error in
      (error as? RedisError)?.code == .connectionLost && (error as? RedisError)?.outcome == .unknown
    }
    #expect(values == [.status("OK")])
  }

  /// The limit holds for one reply, not for the sum of many; both sides of it.
  @Test func `a reply up to the limit is read and a longer one is an error`() throws {
    let bytes = Array("$100\r\n\(String(repeating: "x", count: 100))\r\n".utf8)
    for (limit, isRead) in [(bytes.count, true), (bytes.count - 3, false)] {
      var reader = RedisReplyReader(maximumReplyBytes: limit)
      var values: [RedisValue] = []
      for _ in 0..<3 where isRead { try reader.read(ByteBuffer(bytes: bytes), into: &values) }
      #expect(values.count == (isRead ? 3 : 0))
      if !isRead {
        #expect(throws: RedisError.self) { try reader.read(ByteBuffer(bytes: bytes.dropLast()), into: &values) }
      }
    }
  }

  @Test func `eight levels of arrays are read and nine are an error`() throws {
    let eight = String(repeating: "*1\r\n", count: 8) + ":1\r\n"
    var value = RedisValue.integer(1)
    for _ in 0..<8 { value = .array([value]) }
    #expect(try read(ByteBuffer(string: eight), piece: 5) == [value])
    #expect(throws: RedisError.self) { try read(ByteBuffer(string: "*1\r\n" + eight), piece: 5) }
  }

  @Test func `the code word of a refusal is its first word in capitals`() {
    #expect(RedisServerError(text: "NOGROUP No such key").word == "NOGROUP")
    #expect(RedisServerError(text: "BUSYGROUP").word == "BUSYGROUP")
    #expect(RedisServerError(text: "wrong number of arguments").word == "ERR")
    #expect(RedisServerError(text: "").word == "ERR")
    #expect(RedisServerError(text: String(repeating: "A", count: 600)).text.utf8.count == 512)
  }
}
