import NIOCore

/// The end of a connection's pipeline: hands whole replies to the session, and tells it when the connection ends.
///
/// It feeds the parser with the whole buffer and drains it, instead of sitting inside NIO's decoder, which gives replies
/// one at a time and asks again only when more bytes arrive.
final class RedisChannelHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let session: RedisSession
  private let connection: UInt64
  private var reader: RedisReplyReader

  /// A handler for the connection with this number.
  init(session: RedisSession, connection: UInt64, maximumReplyBytes: Int) {
    self.session = session
    self.connection = connection
    reader = RedisReplyReader(maximumReplyBytes: maximumReplyBytes)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var replies: [RedisValue] = []
    do throws(RedisError) {
      try reader.read(unwrapInboundIn(data), into: &replies)
      session.received(replies, on: connection)
    } catch {
      session.received(replies, on: connection)
      session.end(connection, because: error.message)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    session.end(connection, because: "the server closed the connection")
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    session.end(connection, because: "the connection failed: \(error)")
  }
}
