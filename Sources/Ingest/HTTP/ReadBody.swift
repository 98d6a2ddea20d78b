import HTTPTypes
import Hummingbird
import NIOCore
import Worker

/// Reads a request's body within bounds of size and time: a caller that sends slowly may not hold a connection for long.
struct ReadBody: Sendable {
  /// The largest body: 1 MiB.
  static let bytesMax = 1 << 20
  /// How long a body may take to arrive, in milliseconds.
  static let millisecondsMax: Int64 = 10_000

  let clock: any WallClock
  /// How long a body may take, in milliseconds.
  var timeLimit = ReadBody.millisecondsMax

  /// The whole body.
  /// - Throws: `Problem` of kind `bodyTooLarge` or `requestTimeout`; the connection should not be used further then.
  func bytes(of request: Request) async throws(Problem) -> [UInt8] {
    if let declared = request.headers[.contentLength].flatMap(Int.init), declared > Self.bytesMax {
      throw Self.tooLarge
    }
    let result = await withTaskGroup(of: Result<[UInt8], Problem>.self) { group in
      let body = request.body
      group.addTask { await Self.collect(body) }
      group.addTask { [clock, timeLimit] in
        // A wait that is cancelled has lost the race and is not looked at.
        try? await clock.sleep(milliseconds: timeLimit)
        return .failure(Self.tooSlow)
      }
      defer { group.cancelAll() }
      return await group.next() ?? .failure(Self.tooSlow)
    }
    return try result.get()
  }

  private static func collect(_ body: RequestBody) async -> Result<[UInt8], Problem> {
    var bytes: [UInt8] = []
    do {
      for try await part in body {
        guard bytes.count + part.readableBytes <= bytesMax else { return .failure(tooLarge) }
        bytes.append(contentsOf: part.readableBytesView)
      }
    } catch {
      // The connection broke inside the body: whoever sent it will not read the answer.
      return .failure(tooSlow)
    }
    return .success(bytes)
  }

  private static let tooLarge = Problem(.bodyTooLarge, "A body has at most \(bytesMax) bytes.")
  private static let tooSlow = Problem(
    .requestTimeout, "The whole body must arrive within \(millisecondsMax / 1_000) seconds.")
}
