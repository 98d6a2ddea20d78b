import Dispatch
import Logging
import Payouts
import Synchronization
import Worker

/// The public keys of tokens: those of a file, which is read again and again while the program runs, so that keys can
/// be changed without a restart.
///
/// A file that cannot be read, or holds no key set, changes nothing: whoever writes it may be in the middle of it. The
/// keys that are known stay, the log says why, and health says `degraded` until the file is good again. A key set
/// without any key of ours is taken at its word, since that is how a stolen last key is withdrawn: no token by a key is
/// good any more, which the log and health say as well.
final class WatchKeySet: Sendable {
  /// How often the file is read, in milliseconds.
  static let intervalMilliseconds: Int64 = 10_000
  /// The part of the health report.
  static let component = "key_set"

  private struct State {
    /// The file that the keys are from.
    var contents: [UInt8]
    var keys: [String: VerifyingKey]
    /// Why the file is not what the keys are from.
    var trouble: String?
  }

  private let path: String
  private let health: HealthRegistry
  private let logger: Logger
  private let state: Mutex<State>

  /// - Parameter file: as it was read when the program started.
  init(_ file: KeySetFile, health: HealthRegistry, logger: Logger) async throws {
    path = file.path
    self.health = health
    self.logger = logger
    let keys = try await Self.ready(file.keys)
    state = Mutex(State(contents: file.contents, keys: keys))
    health.report(Self.component, .ok)
  }

  /// The key of this name; nil where there is none now.
  func key(_ id: String) -> VerifyingKey? { state.withLock { $0.keys[id] } }

  /// Looks at the file, for a run loop.
  var step: Step {
    Step("watch_key_set") {
      await self.look()
      return .idle(milliseconds: Self.intervalMilliseconds)
    }
  }

  /// One look at the file: takes its keys where it has changed.
  func look() async {
    do {
      let contents = try await read()
      if state.withLock({ $0.contents == contents }) { return settle() }
      let keys = try await Self.ready(ReadKeySet.keys(in: contents))
      state.withLock { $0 = State(contents: contents, keys: keys) }
      let metadata: Logger.Metadata = [LogKey.keySetPath: "\(path)", LogKey.keyCount: "\(keys.count)"]
      if keys.isEmpty {
        logger.warning("The key set has no key any more: no token by a key is good", metadata: metadata)
      } else {
        logger.info("The key set has changed", metadata: metadata)
      }
      settle()
    } catch {
      keep(because: error)
    }
  }

  /// The file is what the keys are from.
  private func settle() {
    let isEmpty = state.withLock { state in
      state.trouble = nil
      return state.keys.isEmpty
    }
    if isEmpty {
      health.report(
        Self.component, .degraded, detail: "the file has no key that is read here, so no token by a key is good")
    } else {
      health.report(Self.component, .ok)
    }
  }

  /// The file cannot be used; each cause is logged once, and not every ten seconds.
  private func keep(because error: any Error) {
    let reason = (error as? MalformedValue)?.reason ?? "\(error)"
    let isNew = state.withLock { state in
      defer { state.trouble = reason }
      return state.trouble != reason
    }
    health.report(
      Self.component, .degraded, detail: "the file cannot be used (\(reason)); the keys known before stay")
    guard isNew else { return }
    logger.error(
      "The key set cannot be read; the keys known before stay", error: error,
      metadata: [LogKey.keySetPath: "\(path)"])
  }

  /// The file's bytes, read on no thread of the cooperative pool: a disk may be slow, and may not come back.
  private func read() async throws -> [UInt8] {
    let path = path
    return try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global(qos: .utility).async {
        do throws(MalformedValue) {
          continuation.resume(returning: try KeySetFile.contents(of: path))
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  private static func ready(_ keys: [PublicKey]) async throws -> [String: VerifyingKey] {
    var ready: [String: VerifyingKey] = [:]
    for key in keys { ready[key.id] = try await VerifyingKey(key) }
    return ready
  }
}

extension LogKey {
  /// The file of the key set.
  static let keySetPath = "key_set.path"
  /// How many keys it holds.
  static let keyCount = "key_set.keys"
}
