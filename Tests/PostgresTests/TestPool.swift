import Logging
import Postgres
import Synchronization
import TestSupport

/// A pool on a fresh database of the shared server, closed when the body ends.
func withPool<T: Sendable>(
  connectionLimit: Int = 4, statementTimeoutMilliseconds: Int = 30_000, acquireTimeoutMilliseconds: Int = 10_000,
  url: String? = nil, _ body: (PostgresPool) async throws -> T
) async throws -> T {
  let address: String
  if let url { address = url } else { address = try await PrivatePostgres.shared().createDatabase() }
  let pool = PostgresPool(
    configuration: PostgresConfiguration(
      url: address, applicationName: "PostgresTests", connectionLimit: connectionLimit,
      statementTimeoutMilliseconds: statementTimeoutMilliseconds,
      acquireTimeoutMilliseconds: acquireTimeoutMilliseconds),
    logger: Logger(label: "PostgresTests"))
  let result: Result<T, any Error>
  do { result = .success(try await body(pool)) } catch { result = .failure(error) }
  await pool.close()
  return try result.get()
}

/// The error that `body` throws.
func postgresError<T>(_ body: () async throws -> T) async throws -> PostgresError {
  do {
    _ = try await body()
  } catch let error as PostgresError {
    return error
  }
  throw NothingThrown()
}

/// A call that should have failed did not.
struct NothingThrown: Error {}

/// Waits until a condition holds, looking again and again.
///
/// - Throws: ``ConditionNotMet`` after ten seconds.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(10)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw ConditionNotMet(what: what) }
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// A condition did not come true in time.
struct ConditionNotMet: Error {
  let what: String
}

/// A value behind a lock, shared by tasks of a test.
final class Locked<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>

  /// Begins with this value.
  init(_ value: Value) {
    mutex = Mutex(value)
  }

  /// The value, to be read or replaced.
  var value: Value {
    get { mutex.withLock { $0 } }
    set { mutex.withLock { $0 = newValue } }
  }

  /// Changes the value in one step.
  func change(_ body: (Value) -> Value) {
    mutex.withLock { $0 = body($0) }
  }
}
