// Proves that a key in memory lies on locked pages that stay out of dumps and forks, is wiped when its life ends, prints
// nothing of itself, and signs.
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@testable import Keystore

@Suite struct PrivateKeyTests {
  private static let ones = String(repeating: "01", count: 32)

  @Test func `a key is read from hexadecimal text with or without prefix`() throws {
    for text in [Self.ones, "0x" + Self.ones] {
      let key = try PrivateKey(hex: text)
      #expect(key.address.description == "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7")
    }
  }

  @Test(arguments: [
    "", "0x", String(repeating: "01", count: 31), String(repeating: "01", count: 33),
    String(repeating: "0g", count: 32),
    String(repeating: "00", count: 32), String(repeating: "ff", count: 32),
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", "0x0x" + String(repeating: "01", count: 31),
  ])
  func `what is no key is refused and not repeated`(text: String) {
    do {
      _ = try PrivateKey(hex: text)
      Issue.record("taken: \(text)")
    } catch {
      #expect(error.code == .invalidKey)
      #expect(text.count < 32 || !error.description.contains(text))
    }
  }

  @Test func `random keys differ`() throws {
    var seen: Set<Address> = []
    for _ in 0..<100 { seen.insert(try PrivateKey.random().address) }
    #expect(seen.count == 100)
  }

  /// The kernel's flags of the mapping that holds an address, from /proc/self/smaps.
  private func flags(of address: UInt) throws -> (permissions: String, flags: [String], lockedKiB: Int)? {
    // String(contentsOfFile:) stops after the first page of such a file.
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
    let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    try file.close()
    var permissions: String?
    var locked = 0
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      let range = (words.first ?? "").split(separator: "-")
      if range.count == 2, let low = UInt(range[0], radix: 16), let high = UInt(range[1], radix: 16) {
        permissions = (low..<high).contains(address) ? words[1] : nil
      } else if permissions != nil, words[0] == "Locked:" {
        locked = Int(words[1]) ?? 0
      } else if let permissions, words[0] == "VmFlags:" {
        return (permissions, Array(words.dropFirst()), locked)
      }
    }
    return nil
  }

  @Test func `the key's page is locked, read-only, out of core dumps and empty in forked children`() throws {
    let key = try PrivateKey(hex: Self.ones)
    let address = key.withBytes { bytes in bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
    let found = try #require(try flags(of: address))
    #expect(found.permissions == "r--p")
    #expect(found.lockedKiB >= 4)
    // lo: locked; dd: not in core dumps; wf: wiped on fork.
    for flag in ["lo", "dd", "wf"] { #expect(found.flags.contains(flag), "\(flag) in \(found.flags)") }
    _ = key.address
  }

  @Test func `the key's page is gone with the key`() throws {
    // Another test's key may take the freed place at once, so one key in turn out of many must leave it empty; a page
    // that outlives its key is there for each of them.
    let isGone = try (0..<100).contains { _ in
      var address: UInt = 0
      do {
        let key = try PrivateKey(hex: Self.ones)
        address = key.withBytes { bytes in bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
        #expect(try flags(of: address)?.flags.contains("wf") == true)
      }
      return try flags(of: address)?.flags.contains("wf") != true
    }
    #expect(isGone)
  }

  @Test func `ten thousand keys in turn leave no locked page behind`() throws {
    for _ in 0..<10_000 { _ = try PrivateKey(hex: Self.ones) }
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let locked = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
    let kibibytes = try #require(Int(locked.split(whereSeparator: \.isWhitespace)[1]))
    #expect(kibibytes < 4_096, "\(locked)")
  }

  @Test func `a hot wallet's key signs and prints nothing of itself`() throws {
    let key = HotWalletKey(try PrivateKey(hex: Self.ones))
    let signature = try key.sign(TxID(hashing: [UInt8]("hello".utf8)))
    #expect(Hex.text(signature).hasPrefix("d13b19c8baa53851839efe1fe790b6f6d51028400902bb79d2fa50c65295e0ed"))
    var dumped = ""
    dump(key, to: &dumped)
    dump(try Passphrase("open sesame"), to: &dumped)
    let text = "\(key)\(String(reflecting: key))\(dumped)\(try Passphrase("open sesame"))"
    #expect(text.contains("TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7"))
    #expect(!text.contains("0101"))
    #expect(!text.contains("1, 1"))
    #expect(!text.contains("sesame"))
  }

  @Test func `many threads sign with one key at once and all signatures are the same`() async throws {
    let key = HotWalletKey(try PrivateKey(hex: Self.ones))
    let txid = TxID(hashing: [9])
    let expected = try key.sign(txid)
    try await withThrowingTaskGroup(of: [[UInt8]].self) { group in
      for _ in 0..<8 { group.addTask { try (0..<200).map { _ in try key.sign(txid) } } }
      for try await signatures in group { #expect(signatures.allSatisfy { $0 == expected }) }
    }
  }

  @Test func `a hot wallet's key signs a whole transfer`() throws {
    let key = HotWalletKey(try PrivateKey.random())
    let transaction = try UnsignedTransaction.trxTransfer(
      owner: key.address, to: .zero, amount: Sun(1), referenceBlock: BlockID(exactly: [UInt8](repeating: 5, count: 32)),
      expiration: Timestamp(milliseconds: 2), timestamp: Timestamp(milliseconds: 1))
    #expect(try transaction.signed(by: key).signer == key.address)
  }

  @Test func `core dumps are forbidden, to files and to handlers`() throws {
    try ProcessHardening.forbidCoreDumps()
    let limits = try String(contentsOfFile: "/proc/self/limits", encoding: .utf8)
    let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
    #expect(core.split(whereSeparator: \.isWhitespace).suffix(3) == ["0", "0", "bytes"])
    // The kernel gives the files of a process that is not dumpable to root: the only outward sign of the flag.
    let owner = try FileManager.default.attributesOfItem(atPath: "/proc/self/environ")[.ownerAccountID] as? Int
    #expect(owner == 0)
  }
}
