/// How to reach a PostgreSQL server, and the limits of one pool of connections to it.
///
/// | field | default | meaning |
/// | --- | --- | --- |
/// | `url` | required, secret | libpq connection URI (`postgresql://user:password@host:port/name`) or keyword string |
/// | `applicationName` | required | shown in `pg_stat_activity`; wins over the one in `url` |
/// | `connectionLimit` | 8 | connections, each with a thread of its own; 1 … `connectionLimitMax` |
/// | `statementTimeoutMilliseconds` | 30,000 | one call's time: statement, pipeline, script or COMMIT |
/// | `connectTimeoutMilliseconds` | 5,000 | one attempt to open a connection, log-in included |
/// | `acquireTimeoutMilliseconds` | 10,000 | a caller's wait for a working connection, attempts to open one included |
/// | `idleTransactionTimeoutMilliseconds` | 60,000 | the server ends a transaction in which nothing was asked for so long |
///
/// The text is looked at when the first connection is opened: a malformed `url` is then a
/// ``PostgresError`` with code `configuration`, whose text never repeats the URL, since it may hold a password.
public struct PostgresConfiguration: Sendable {
  /// The most connections a pool may have; each costs a thread here and a process on the server.
  public static let connectionLimitMax = 256

  /// Statements kept prepared on one connection; the one unused for longest makes room for a new one.
  public static let preparedStatementsMax = 256

  /// Commands in one ``PostgresSession/pipeline(_:)``.
  public static let pipelineCommandsMax = 100_000

  /// Callers that may wait for a connection at one time; one more is refused with `tooManyWaiters`.
  public static let waitersMax = 10_000

  /// Parameters of one statement: the protocol counts them in 16 bits.
  public static let parametersMax = 65_535

  /// Bytes of all parameters of one statement, encoded; the server itself refuses values of 1 GiB.
  public static let parameterBytesMax = 256 * 1024 * 1024

  /// The longest timeout: one day.
  public static let timeoutMillisecondsMax = 86_400_000

  /// libpq connection URI or keyword string. Secret: it may hold a password.
  public var url: String
  /// The name shown in the server's views and log.
  public var applicationName: String
  /// How many connections the pool opens at most.
  public var connectionLimit: Int
  /// Time of one call, from sending to the whole answer.
  public var statementTimeoutMilliseconds: Int
  /// Time of one attempt to connect.
  public var connectTimeoutMilliseconds: Int
  /// Time a caller waits for a working connection.
  public var acquireTimeoutMilliseconds: Int
  /// Time after which the server ends an abandoned transaction, so that its locks do not outlive a hung or
  /// cut-off client.
  public var idleTransactionTimeoutMilliseconds: Int

  /// Describes a server and a pool; nothing is opened and nothing is checked yet.
  public init(
    url: String,
    applicationName: String,
    connectionLimit: Int = 8,
    statementTimeoutMilliseconds: Int = 30_000,
    connectTimeoutMilliseconds: Int = 5_000,
    acquireTimeoutMilliseconds: Int = 10_000,
    idleTransactionTimeoutMilliseconds: Int = 60_000
  ) {
    self.url = url
    self.applicationName = applicationName
    self.connectionLimit = connectionLimit
    self.statementTimeoutMilliseconds = statementTimeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.acquireTimeoutMilliseconds = acquireTimeoutMilliseconds
    self.idleTransactionTimeoutMilliseconds = idleTransactionTimeoutMilliseconds
  }
}

extension PostgresConfiguration {
  /// What is wrong with the numbers: an error with code `configuration`, naming all that are out of range,
  /// their values and their ranges; nil where all are well.
  var problem: PostgresError? {
    let milliseconds = 1...Self.timeoutMillisecondsMax
    let checks = [
      ("connectionLimit", connectionLimit, 1...Self.connectionLimitMax),
      ("statementTimeoutMilliseconds", statementTimeoutMilliseconds, milliseconds),
      ("connectTimeoutMilliseconds", connectTimeoutMilliseconds, milliseconds),
      ("acquireTimeoutMilliseconds", acquireTimeoutMilliseconds, milliseconds),
      ("idleTransactionTimeoutMilliseconds", idleTransactionTimeoutMilliseconds, milliseconds),
    ]
    let problems = checks.filter { !$0.2.contains($0.1) }.map { name, value, range in
      "\(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)"
    }
    guard !problems.isEmpty else { return nil }
    return PostgresError(code: .configuration, message: problems.joined(separator: "; "))
  }
}
