import CHiredis
import NIOCore

/// The parser of a connection's replies: hiredis' reader, fed with whatever arrived.
///
/// It owns the C reader and frees it; no C type leaves this file. Everything fed is drained at once, in slices, since
/// the reader moves the rest of its buffer after each kilobyte it has read.
struct RedisReplyReader: ~Copyable {
  /// How much is fed before the reader is drained.
  static let sliceBytes = 16 * 1024

  private let reader: UnsafeMutablePointer<redisReader>
  private let maximumReplyBytes: Int
  /// What was fed since the last whole reply.
  private var unfinishedBytes = 0

  /// A reader for a new connection. Traps where there is no memory for a few hundred bytes.
  init(maximumReplyBytes: Int) {
    guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a reply reader") }
    self.reader = reader
    self.maximumReplyBytes = maximumReplyBytes
  }

  deinit {
    redisReaderFree(reader)
  }

  /// Takes the bytes that arrived and appends every reply that is whole now.
  ///
  /// Throws `connectionLost` where the bytes are no RESP or a reply is too long; the connection is of no use after that.
  mutating func read(_ bytes: ByteBuffer, into replies: inout [RedisValue]) throws(RedisError) {
    var bytes = bytes
    while let slice = bytes.readSlice(length: min(bytes.readableBytes, Self.sliceBytes)), slice.readableBytes > 0 {
      let fed = slice.withUnsafeReadableBytes { raw in
        redisReaderFeed(reader, raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
      }
      guard fed == REDIS_OK else { throw failure() }
      unfinishedBytes += slice.readableBytes
      while let reply = try next() {
        replies.append(reply)
        unfinishedBytes = reader.pointee.len - reader.pointee.pos
      }
      guard unfinishedBytes <= maximumReplyBytes else {
        throw RedisError(.connectionLost, .unknown, "a reply is longer than \(maximumReplyBytes) bytes")
      }
    }
  }

  private func next() throws(RedisError) -> RedisValue? {
    var object: UnsafeMutableRawPointer?
    guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure() }
    guard let object else { return nil }
    defer { freeReplyObject(object) }
    return Self.value(object.assumingMemoryBound(to: redisReply.self).pointee)
  }

  /// Copies a reply out of C memory. The depth is bounded by the reader, which refuses more than eight levels.
  private static func value(_ reply: redisReply) -> RedisValue {
    switch reply.type {
    case REDIS_REPLY_INTEGER:
      return .integer(Int64(reply.integer))
    case REDIS_REPLY_STATUS:
      return .status(String(decoding: bytes(of: reply), as: UTF8.self))
    case REDIS_REPLY_ERROR:
      return .error(RedisServerError(text: String(decoding: bytes(of: reply), as: UTF8.self)))
    case REDIS_REPLY_STRING:
      return .bulk([UInt8](bytes(of: reply)))
    case REDIS_REPLY_ARRAY:
      return .array(
        UnsafeBufferPointer(start: reply.element, count: reply.elements).map { element in
          element.map { value($0.pointee) } ?? .null
        })
    default:
      return .null
    }
  }

  private static func bytes(of reply: redisReply) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: reply.str, count: reply.len)
  }

  /// The reader's own words about what it could not read; they quote at most one byte of the input.
  private func failure() -> RedisError {
    let text = withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return RedisError(.connectionLost, .unknown, "the server sent what is no reply: \(text)")
  }
}
