import Foundation
import TestSupport

/// A process's memory, in KiB.
struct ProcessMemory: Sendable, CustomStringConvertible {
  let name: String
  /// What it holds now.
  let resident: Int
  /// The most it ever held.
  let peak: Int

  /// MiB, rounded: `signer-1 48 (peak 61)`.
  var description: String { "\(name) \(resident >> 10) (peak \(peak >> 10))" }
}

extension Stack {
  /// The memory of every worker that runs.
  var workersMemory: [ProcessMemory] {
    replicas.compactMap { replica in
      workers[replica].flatMap { Self.memory(of: $0.processIdentifier, "\(replica)") }
    }
  }

  /// The memory of the servers around the workers; PostgreSQL's is that of all its processes, shared pages counted once.
  var serversMemory: [ProcessMemory] {
    let redisPID = Self.firstNumber(in: "\(redis.folder)/server.pid")
    let postgresPID = Self.firstNumber(in: "\(postgres.folder)/data/postmaster.pid")
    let sessions = postgresPID.map { [$0] + Self.children(of: $0) } ?? []
    let postgresKiB = sessions.reduce(0) { $0 + (Self.field("Pss:", of: "/proc/\($1)/smaps_rollup") ?? 0) }
    return [
      Self.memory(of: devnet.processIdentifier, "devnet"), redisPID.flatMap { Self.memory(of: $0, "redis") },
      ProcessMemory(name: "postgres, \(sessions.count) processes", resident: postgresKiB, peak: postgresKiB),
    ].compactMap { $0 }
  }

  /// Begins the workers' peaks anew: opening a keystore takes 256 MiB for a moment.
  func forgetPeaks() throws {
    for process in workers.values {
      try "5".write(toFile: "/proc/\(process.processIdentifier)/clear_refs", atomically: false, encoding: .utf8)
    }
  }

  private static func memory(of pid: Int32, _ name: String) -> ProcessMemory? {
    let file = "/proc/\(pid)/status"
    guard let resident = field("VmRSS:", of: file), let peak = field("VmHWM:", of: file) else { return nil }
    return ProcessMemory(name: name, resident: resident, peak: peak)
  }

  /// The number of a line such as `VmRSS:  1234 kB`; nil where the process is gone.
  private static func field(_ name: String, of file: String) -> Int? {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
  }

  private static func firstNumber(in file: String) -> Int32? {
    let text = try? String(contentsOfFile: file, encoding: .utf8)
    return text?.split(whereSeparator: \.isNewline).first.flatMap { Int32($0.filter { !$0.isWhitespace }) }
  }

  private static func children(of pid: Int32) -> [Int32] {
    let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
    return text?.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) } ?? []
  }
}

/// How busy the machine is, as the kernel says: three averages.
var machineLoad: String {
  (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))?.split(separator: " ").prefix(3)
    .joined(separator: " ") ?? "unknown"
}
