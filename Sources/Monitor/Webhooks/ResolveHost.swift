import Glibc
import NIOPosix
import Synchronization

/// The seam towards DNS.
protocol HostResolver: Sendable {
  /// All addresses of a name, in the order in which they should be tried; never none.
  ///
  /// - Throws: `HTTPOutError` with code unresolved; `CancellationError` at once where the caller is cancelled.
  func addresses(of host: String) async throws -> [IPAddress]
}

/// The system's own resolver, getaddrinfo(3). It blocks, for many seconds where a name server is silent, so that it runs
/// on threads of its own; a caller who waits no longer leaves the thread to its end.
struct SystemHostResolver: HostResolver {
  /// How many names are looked up at once: more than there are deliveries under way.
  static let threadCount = 32

  /// Lives as long as the process.
  private static let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: threadCount)
    pool.start()
    return pool
  }()

  func addresses(of host: String) async throws -> [IPAddress] {
    let answer = Answer()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard answer.isAwaited(by: continuation) else { return continuation.resume(throwing: CancellationError()) }
        Self.threads.submit { state in
          guard state == .active, !answer.isOver else { return answer.give(.failure(CancellationError())) }
          answer.give(Result { try Self.lookUp(host) })
        }
      }
    } onCancel: {
      answer.give(.failure(CancellationError()))
    }
  }

  private static func lookUp(_ host: String) throws -> [IPAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, nil, &hints, &list)
    guard status == 0 else {
      throw HTTPOutError(.unresolved, "\(host): \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(list) }
    var addresses: [IPAddress] = []
    var next = list
    // getaddrinfo(3): a linked list, ended by NULL, that is the caller's until freeaddrinfo; ai_addr points to a
    // sockaddr_in or sockaddr_in6 as ai_family says.
    while let entry = next {
      if let address = address(of: entry.pointee), !addresses.contains(address) { addresses.append(address) }
      next = entry.pointee.ai_next
    }
    guard !addresses.isEmpty else { throw HTTPOutError(.unresolved, "\(host): it has no address") }
    return addresses
  }

  private static func address(of entry: addrinfo) -> IPAddress? {
    guard let address = UnsafeRawPointer(entry.ai_addr) else { return nil }
    switch entry.ai_family {
    case AF_INET:
      var found = address.loadUnaligned(as: sockaddr_in.self).sin_addr
      return IPAddress(bytes: withUnsafeBytes(of: &found) { [UInt8]($0) })
    case AF_INET6:
      var found = address.loadUnaligned(as: sockaddr_in6.self).sin6_addr
      return IPAddress(bytes: withUnsafeBytes(of: &found) { [UInt8]($0) })
    default: return nil
    }
  }
}

/// One answer for one caller, who may have gone before it was asked for: the race's third state.
private final class Answer: Sendable {
  private enum State {
    case new
    case awaited(CheckedContinuation<[IPAddress], any Error>)
    case over
  }

  private let state = Mutex(State.new)

  var isOver: Bool {
    state.withLock { state in
      if case .over = state { return true }
      return false
    }
  }

  /// False where the caller was cancelled before.
  func isAwaited(by continuation: CheckedContinuation<[IPAddress], any Error>) -> Bool {
    state.withLock { state in
      if case .over = state { return false }
      state = .awaited(continuation)
      return true
    }
  }

  func give(_ result: Result<[IPAddress], any Error>) {
    let waiting = state.withLock { state -> CheckedContinuation<[IPAddress], any Error>? in
      defer { state = .over }
      guard case .awaited(let continuation) = state else { return nil }
      return continuation
    }
    waiting?.resume(with: result)
  }
}
