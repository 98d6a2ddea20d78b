public import Logging
import Postgres
public import ServiceLifecycle

extension Ledger {
  /// How long a worker waits at its start for the server to come up.
  public static let acquireTimeoutMillisecondsDefault = 15_000

  /// A ledger on a pool of its own. Nothing is asked yet: call `prepare`.
  ///
  /// - Parameters:
  ///   - url: libpq connection URI, a secret.
  ///   - actor: the worker's instance; stands beside each change it makes.
  ///   - acquireTimeoutMilliseconds: how long one call waits for a connection.
  public init(
    url: String, actor: String, logger: Logger,
    acquireTimeoutMilliseconds: Int = Ledger.acquireTimeoutMillisecondsDefault
  ) {
    let configuration = PostgresConfiguration(
      url: url, applicationName: actor, acquireTimeoutMilliseconds: acquireTimeoutMilliseconds)
    self.init(pool: PostgresPool(configuration: configuration, logger: logger), logger: logger)
  }

  /// Its connections, to be run as a service and closed last.
  public var connections: any Service { pool }
}
