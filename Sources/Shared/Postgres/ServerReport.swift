import CLibpq

/// An error, warning or notice, as the server sent it.
struct ServerReport: Sendable, Equatable {
  /// ERROR, FATAL, PANIC, WARNING, NOTICE, …: never translated. Empty where libpq itself made the report.
  var severity: String
  /// Five characters, where given.
  var sqlState: String?
  /// The text.
  var message: String
  /// More text; may quote values of the row.
  var detail: String?
  /// The violated constraint.
  var constraint: String?
  /// The function of the server's source that made the report.
  var sourceFunction: String?

  /// True where the connection ends with this report.
  var endsConnection: Bool { severity == "FATAL" || severity == "PANIC" }

  /// True for a report that a caller must see.
  var isWarning: Bool { severity == "WARNING" }

  /// True for the warning that a commit was kept here but perhaps not on the synchronous standby. It is known
  /// by the function that makes it, since its text is translated and its SQLSTATE is that of any warning
  /// (PostgreSQL 15 source, `src/backend/replication/syncrep.c`).
  var leavesReplicationOpen: Bool { isWarning && sourceFunction == "SyncRepWaitForLSN" }

  /// True for "cached plan must not change result type": a table under a prepared statement was altered.
  /// Its SQLSTATE is the general feature_not_supported, so the function that makes it tells it apart
  /// (`src/backend/utils/cache/plancache.c`).
  var isOutdatedPlan: Bool { sqlState == "0A000" && sourceFunction == "RevalidateCachedQuery" }
}

extension ServerReport {
  /// Copies the fields out of a libpq result.
  init(_ result: OpaquePointer) {
    func field(_ code: ReportField) -> String? {
      PQresultErrorField(result, code.rawValue).map { String(cString: $0) }
    }
    severity = field(.severity) ?? ""
    sqlState = field(.sqlState)
    message =
      field(.message)
      ?? PQresultErrorMessage(result).map { LibpqText.trimmed(String(cString: $0)) } ?? ""
    detail = field(.detail)
    constraint = field(.constraint)
    sourceFunction = field(.sourceFunction)
  }
}

/// Field codes of a report: `PG_DIAG_…` of libpq's `postgres_ext.h`, character macros that Swift does not import.
private enum ReportField: Int32 {
  case severity = 0x56  // V, never translated
  case sqlState = 0x43  // C
  case message = 0x4D  // M
  case detail = 0x44  // D
  case constraint = 0x6E  // n
  case sourceFunction = 0x52  // R
}

/// Collects what the server says beside its answers, for the call in flight.
///
/// libpq hands notices to a C function with one pointer; that pointer is this object, which the owner of the
/// connection keeps alive for as long as the connection is open.
final class NoticeCollector {
  /// Warnings of the call in flight.
  private(set) var warnings: [ServerReport] = []
  /// A FATAL that came while no statement was in flight: the server is ending the connection.
  private(set) var farewell: ServerReport?

  /// Begins a new call.
  func reset() {
    warnings.removeAll(keepingCapacity: true)
  }

  /// Takes one report.
  func take(_ report: ServerReport) {
    if report.endsConnection {
      farewell = report
    } else if report.isWarning, warnings.count < PostgresResult.warningsMax {
      warnings.append(report)
    }
  }

  /// Makes libpq hand all notices of `connection` to this object.
  func install(on connection: OpaquePointer) {
    PQsetNoticeReceiver(
      connection,
      { context, result in
        guard let context, let result else { return }
        Unmanaged<NoticeCollector>.fromOpaque(context).takeUnretainedValue().take(ServerReport(result))
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}

/// Small repairs of libpq's texts.
enum LibpqText {
  /// Without white space at the end; libpq ends its messages with a line feed.
  static func trimmed(_ text: String) -> String {
    var text = Substring(text)
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
