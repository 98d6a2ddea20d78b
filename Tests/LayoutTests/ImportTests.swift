import Foundation
import Testing

/// The arrows between our modules point one way (DESIGN.md §5): read from the import lines of all sources.
struct ImportTests {
  /// Which modules of ours each folder may import.
  private static let allowed: [String: Set<String>] = [
    "Sources/Shared/Payouts": [],
    "Sources/Shared/Postgres": ["CLibpq"],
    "Sources/Shared/Redis": ["CHiredis"],
    "Sources/Shared/Ledger": ["Payouts", "Postgres"],
    "Sources/Shared/Streams": ["Payouts", "Redis"],
    "Sources/Shared/Tron": ["Payouts", "CSecp256k1"],
    "Sources/Shared/Keystore": ["Payouts", "Tron", "COpenSSL", "CSecp256k1"],
    "Sources/Shared/Worker": ["Payouts"],
    "Sources/Shared/Nodes": ["Payouts", "Tron", "Worker"],
    "Sources/Shared/Queues": ["Payouts", "Ledger", "Streams", "Worker"],
    "Sources/Ingest": ["Worker", "Ledger", "Streams", "Queues", "Tron", "Payouts"],
    "Sources/Scheduler": ["Worker", "Ledger", "Streams", "Queues", "Payouts"],
    "Sources/Signer": ["Worker", "Ledger", "Streams", "Queues", "Tron", "Nodes", "Keystore", "Payouts"],
    "Sources/Monitor": ["Worker", "Ledger", "Streams", "Queues", "Tron", "Nodes", "Payouts"],
    "Sources/Payoutctl": ["Worker", "Ledger", "Streams", "Tron", "Nodes", "Keystore", "Payouts"],
    "Sources/Simulation": [
      "Ingest", "Scheduler", "Signer", "Monitor", "Payoutctl", "Worker", "Ledger", "Streams", "Tron", "Keystore",
      "Payouts",
    ],
    "Sources/Devnet": ["CSecp256k1"],
    "Sources/Executables/ingest": ["Ingest"],
    "Sources/Executables/scheduler": ["Scheduler"],
    "Sources/Executables/signer": ["Signer"],
    "Sources/Executables/monitor": ["Monitor"],
    "Sources/Executables/payoutctl": ["Payoutctl"],
    "Sources/Executables/devnet": ["Devnet"],
    "Sources/Executables/simulate": ["Simulation"],
  ]
  /// System libraries hold no Swift.
  private static let systemLibraries: Set<String> = ["CHiredis", "CLibpq", "CSecp256k1", "COpenSSL"]

  private static let ours = systemLibraries.union(
    allowed.keys.compactMap {
      $0.hasPrefix("Sources/Executables/") ? nil : $0.split(separator: "/").last.map(String.init)
    })

  @Test(arguments: allowed.keys.sorted())
  func `a folder imports only what it may know`(folder: String) throws {
    // Proves the arrows file by file. That a folder has files at all is proven too, so that a moved one is noticed.
    let files = try SourceTree.files(under: folder)
    #expect(!files.isEmpty, "\(folder) holds no source")
    for file in files {
      let strangers = file.imports.intersection(Self.ours).subtracting(Self.allowed[folder] ?? [])
      #expect(strangers.isEmpty, "\(file.path) imports \(strangers.sorted())")
    }
  }

  @Test func `every folder of sources has its rule`() throws {
    // Proves that nothing is left out of the table above.
    var found: Set<String> = []
    for name in try SourceTree.folders(in: "Sources") where name != "Shared" && name != "Executables" {
      found.insert("Sources/\(name)")
    }
    for name in try SourceTree.folders(in: "Sources/Shared") where !Self.systemLibraries.contains(name) {
      found.insert("Sources/Shared/\(name)")
    }
    for name in try SourceTree.folders(in: "Sources/Executables") { found.insert("Sources/Executables/\(name)") }
    #expect(found == Set(Self.allowed.keys))
  }

  @Test func `the domain is pure`() throws {
    // Proves that Payouts knows no framework but swift-crypto: no I/O and no clock can hide in it.
    for file in try SourceTree.files(under: "Sources/Shared/Payouts") {
      #expect(file.imports.isSubset(of: ["Crypto"]), "\(file.path) imports \(file.imports.sorted())")
    }
  }

  @Test func `executables only start a library`() throws {
    // Proves that nothing grows where no test can import it.
    for file in try SourceTree.files(under: "Sources/Executables") {
      #expect(file.path.hasSuffix("/main.swift"))
      #expect(file.codeLines.filter { !$0.isEmpty }.count <= 12, "\(file.path) is more than a start")
    }
  }

  @Test func `import lines of every form are read`() {
    // Proves the reader that the tests above stand on.
    let text = """
      import A
      public import B
      @testable import C
        @preconcurrency public import struct D.Inner
      // import E
      let text = "import F"
      #if canImport(G)
        import H
      #endif
      """
    #expect(SourceTree.File(path: "x.swift", text: text).imports == ["A", "B", "C", "D", "H"])
  }
}
