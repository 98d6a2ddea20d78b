import Hummingbird
import NIOCore

/// What a request carries along: also its connection, so that a fault can break it.
struct DevnetContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  private let channel: any Channel

  /// The context of a request that came over `source`'s connection.
  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// Closes the connection; nothing that is written afterwards reaches the client.
  func breakConnection() async {
    do {
      try await channel.close()
    } catch {
      // The client was faster: it is closed already.
    }
  }
}
