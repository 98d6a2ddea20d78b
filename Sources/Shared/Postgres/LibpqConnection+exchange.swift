import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One message of the extended protocol, to be sent in a pipeline.
enum PipelineRequest {
  /// Prepare a statement under a name, with declared parameter types.
  case prepare(name: String, sql: String, types: [TypeOID])
  /// Ask which parameter types the server takes for a prepared statement.
  case describe(name: String, sql: String)
  /// Carry out a prepared statement.
  case execute(name: String, sql: String, parameters: EncodedParameters)
  /// Carry out a command that has no parameters and gives no rows.
  case command(sql: String)
}

/// The answer to one ``PipelineRequest``.
enum PipelineReply {
  /// Parameter types, for `describe`.
  case parameterTypes([TypeOID])
  /// Rows and tag, for everything else.
  case result(PostgresResult)
}

/// All answers to one pipeline.
struct PipelineOutcome {
  /// The answers up to the first failure, in order.
  var replies: [PipelineReply] = []
  /// The first failure, if any: with the place of its request, or nil where the end of the pipeline failed,
  /// which is where deferred constraints are checked outside a transaction.
  var failure: (request: Int?, report: ServerReport)?
  /// Warnings that came with the answers.
  var warnings: [ServerReport] = []
}

/// The answer to a text sent by the simple protocol.
struct ScriptOutcome {
  /// The tag of the last command that was carried out.
  var lastTag: String?
  /// The error that ended the text, if any.
  var failure: ServerReport?
  /// Warnings that came with the answers.
  var warnings: [ServerReport] = []
}

extension LibpqConnection {
  /// Sends requests in pipeline mode, with one Sync at the end, and collects their answers.
  ///
  /// Answers are read while requests are still being sent, and no more is handed to libpq than the socket
  /// takes: so neither side waits for the other for ever, and libpq's buffer stays small.
  func exchange(_ requests: [PipelineRequest], _ limit: WaitLimit) throws(Interruption) -> PipelineOutcome {
    let connection = try open()
    notices.reset()
    guard PQenterPipelineMode(connection) == 1 else { throw .protocolViolation(errorMessage) }
    var collector = PipelineCollector(requests: requests)
    for request in requests {
      guard Self.send(request, on: connection) else { throw sendingFailed() }
      collector.sent += 1
      while try hasUnsentBytes() {
        try wait(for: Int16(POLLIN | POLLOUT), limit)
        try consumeInput()
        try drain(into: &collector)
      }
    }
    guard PQpipelineSync(connection) == 1 else { throw sendingFailed() }
    collector.isSyncSent = true
    while true {
      let isSending = try hasUnsentBytes()
      try drain(into: &collector)
      if collector.isSynced { break }
      try wait(for: Int16(isSending ? POLLIN | POLLOUT : POLLIN), limit)
      try consumeInput()
    }
    guard PQexitPipelineMode(connection) == 1 else { throw .protocolViolation(errorMessage) }
    collector.outcome.warnings = notices.warnings
    return collector.outcome
  }

  /// Sends a text by the simple protocol and reads all its answers.
  func runScript(_ sql: String, _ limit: WaitLimit) throws(Interruption) -> ScriptOutcome {
    let connection = try open()
    notices.reset()
    guard PQsendQuery(connection, sql) == 1 else { throw sendingFailed() }
    var outcome = ScriptOutcome()
    while true {
      let isSending = try hasUnsentBytes()
      while PQisBusy(connection) == 0 {
        guard let result = PQgetResult(connection) else {
          outcome.warnings = notices.warnings
          return outcome
        }
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
          outcome.lastTag = String(cString: PQcmdStatus(result))
        case PGRES_FATAL_ERROR:
          outcome.failure = try failure(result)
        default:
          throw .protocolViolation("a script may not hold COPY FROM STDIN or COPY TO STDOUT")
        }
      }
      try wait(for: Int16(isSending ? POLLIN | POLLOUT : POLLIN), limit)
      try consumeInput()
    }
  }

  /// Hands one request to libpq, which sends it when the socket takes it; false where libpq refuses it.
  private static func send(_ request: PipelineRequest, on connection: OpaquePointer) -> Bool {
    switch request {
    case .prepare(let name, let sql, let types):
      return PQsendPrepare(connection, name, sql, Int32(types.count), types.map(\.rawValue)) == 1
    case .describe(let name, _):
      return PQsendDescribePrepared(connection, name) == 1
    case .command(let sql):
      return PQsendQueryParams(connection, sql, 0, nil, nil, nil, nil, 1) == 1
    case .execute(let name, _, let parameters):
      return parameters.bytes.withUnsafeBufferPointer { buffer in
        let values = parameters.ranges.map { range -> UnsafePointer<CChar>? in
          guard let range, let base = buffer.baseAddress else { return nil }
          return UnsafeRawPointer(base + range.lowerBound).assumingMemoryBound(to: CChar.self)
        }
        let lengths = parameters.ranges.map { Int32($0?.count ?? 0) }
        let binary = [Int32](repeating: 1, count: values.count)
        return PQsendQueryPrepared(connection, name, Int32(values.count), values, lengths, binary, 1) == 1
      }
    }
  }

  /// Takes all answers that have arrived whole.
  private func drain(into collector: inout PipelineCollector) throws(Interruption) {
    let connection = try open()
    while collector.expectsMore, PQisBusy(connection) == 0 {
      guard let result = PQgetResult(connection) else {
        // libpq marks the end of each request's answers with a null.
        guard collector.endRequest() else { return }
        continue
      }
      defer { PQclear(result) }
      if PQresultStatus(result) == PGRES_FATAL_ERROR {
        collector.fail(try failure(result))
      } else if !collector.take(result) {
        throw .protocolViolation("unexpected answer \(PQresultStatus(result).rawValue) in a pipeline")
      }
    }
  }

  /// The server's report in a failed result; thrown as the end of the connection where it is that.
  private func failure(_ result: OpaquePointer) throws(Interruption) -> ServerReport {
    let report = ServerReport(result)
    if report.endsConnection || pointer.map({ PQstatus($0) }) != CONNECTION_OK {
      throw lost(report.severity.isEmpty ? nil : report)
    }
    return report
  }

  /// True while libpq holds bytes that the socket did not take yet.
  private func hasUnsentBytes() throws(Interruption) -> Bool {
    let connection = try open()
    switch PQflush(connection) {
    case 0: return false
    case 1: return true
    default: throw lost()
    }
  }

  /// Reads what has arrived; at the end of the connection, what the server said last.
  private func consumeInput() throws(Interruption) {
    let connection = try open()
    guard PQconsumeInput(connection) == 1 else {
      while PQisBusy(connection) == 0, let result = PQgetResult(connection) {
        defer { PQclear(result) }
        let report = ServerReport(result)
        if !report.severity.isEmpty { throw lost(report) }
        // Without a severity it is libpq's own word for the lost connection, and nothing follows.
        if PQresultStatus(result) == PGRES_FATAL_ERROR { break }
      }
      throw lost()
    }
  }

  private func sendingFailed() -> Interruption {
    guard let pointer, PQstatus(pointer) == CONNECTION_OK else { return lost() }
    return .protocolViolation(errorMessage)
  }
}

/// Assigns the answers of a pipeline to its requests.
private struct PipelineCollector {
  let requests: [PipelineRequest]
  /// Requests handed to libpq so far.
  var sent = 0
  /// Whether the Sync was handed over.
  var isSyncSent = false
  /// Whether the Sync was answered: nothing more follows.
  private(set) var isSynced = false
  var outcome = PipelineOutcome()
  private var answered = 0
  private var hasAnswer = false

  init(requests: [PipelineRequest]) {
    self.requests = requests
    outcome.replies.reserveCapacity(requests.count)
  }

  /// True while an answer to something sent is missing.
  var expectsMore: Bool { isSyncSent ? !isSynced : answered < sent }

  /// Notes the end of one request's answers; false where none was under way.
  mutating func endRequest() -> Bool {
    guard hasAnswer else { return false }
    hasAnswer = false
    answered += 1
    return true
  }

  /// Notes a failure; the first one counts.
  mutating func fail(_ report: ServerReport) {
    hasAnswer = true
    if outcome.failure == nil { outcome.failure = (answered < requests.count ? answered : nil, report) }
  }

  /// Takes an answer; false where none of this kind belongs here.
  mutating func take(_ result: OpaquePointer) -> Bool {
    switch PQresultStatus(result) {
    case PGRES_PIPELINE_SYNC:
      isSynced = true
    case PGRES_PIPELINE_ABORTED:
      hasAnswer = true
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
      guard answered < requests.count, !hasAnswer else { return false }
      hasAnswer = true
      switch requests[answered] {
      case .describe:
        outcome.replies.append(
          .parameterTypes((0..<PQnparams(result)).map { TypeOID(PQparamtype(result, $0)) }))
      case .prepare(_, let sql, _), .execute(_, let sql, _), .command(let sql):
        outcome.replies.append(.result(PostgresResult(copying: result, statement: sql)))
      }
    default:
      return false
    }
    return true
  }
}

extension PostgresResult {
  /// Copies rows and tag out of a libpq result.
  init(copying result: OpaquePointer, statement: String) {
    commandTag = String(cString: PQcmdStatus(result))
    affectedRows = Int(String(cString: PQcmdTuples(result))) ?? 0
    warnings = []
    let columnCount = PQnfields(result)
    let rowCount = PQntuples(result)
    guard rowCount > 0 else {
      rows = []
      return
    }
    var bytes: [UInt8] = []
    var cells: [Range<Int>?] = []
    cells.reserveCapacity(Int(rowCount) * Int(columnCount))
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
          cells.append(nil)
          continue
        }
        let start = bytes.count
        bytes.append(
          contentsOf: UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, column))))
        cells.append(start..<bytes.count)
      }
    }
    let storage = RowStorage(
      columns: (0..<columnCount).map { String(cString: PQfname(result, $0)) },
      types: (0..<columnCount).map { TypeOID(PQftype(result, $0)) },
      bytes: bytes, cells: cells, statement: statement)
    rows = (0..<Int(rowCount)).map { PostgresRow(storage: storage, index: $0) }
  }
}
