import Foundation
import Testing

/// Things stand where a reader looks for them (DESIGN.md §5).
struct PlacementTests {
  @Test func `SQL stands in Ledger only`() throws {
    // Proves it by the statements' beginnings. Postgres may set up its own session, and knows no table of ours.
    let statement =
      /\b(SELECT [a-z*('\d]|INSERT INTO |UPDATE [a-z_]+( [a-z])? SET |DELETE FROM |(CREATE|ALTER|DROP) (TABLE|INDEX|TYPE|FUNCTION|TRIGGER) )/
    var inLedger = 0
    for file in try SourceTree.files(under: "Sources") where !file.path.hasPrefix("Sources/Shared/Postgres/") {
      let lines = file.codeLines.filter { $0.contains(statement) }
      if file.path.hasPrefix("Sources/Shared/Ledger/") {
        inLedger += lines.count
      } else {
        #expect(lines.isEmpty, "\(file.path): \(lines)")
      }
    }
    #expect(inLedger > 50, "the pattern no longer finds the statements that are there")
  }

  @Test func `Redis commands stand in Streams and Redis only`() throws {
    let command =
      /"(X(ADD|READGROUP|READ|ACK|DEL|AUTOCLAIM|CLAIM|GROUP|PENDING|LEN|TRIM|RANGE|INFO)|EVAL|EVALSHA|FLUSHALL|MULTI)"/
    var inStreams = 0
    for file in try SourceTree.files(under: "Sources") where !file.path.hasPrefix("Sources/Shared/Redis/") {
      let lines = file.codeLines.filter { $0.contains(command) }
      if file.path.hasPrefix("Sources/Shared/Streams/") {
        inStreams += lines.count
      } else {
        #expect(lines.isEmpty, "\(file.path): \(lines)")
      }
    }
    #expect(inStreams > 5, "the pattern no longer finds the commands that are there")
  }

  @Test func `each worker has the same skeleton`() throws {
    for worker in ["Ingest", "Scheduler", "Signer", "Monitor"] {
      let names = try SourceTree.files(under: "Sources/\(worker)").map(\.path)
      for part in ["Service", "Configuration", "Metrics"] {
        #expect(names.contains("Sources/\(worker)/\(worker)\(part).swift"), "\(worker) has no \(part)")
      }
    }
  }

  @Test func `no file is longer than 400 lines`() throws {
    for file in try SourceTree.files(under: "Sources") + SourceTree.files(under: "Tests") where !file.isGenerated {
      #expect(file.lines.count <= 401, "\(file.path) has \(file.lines.count - 1) lines")
    }
  }
}
