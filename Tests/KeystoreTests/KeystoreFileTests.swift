// Proves that what we write, others can open (eth-keyfile from PyPI), that it opens again here, lies in a file only its
// owner can read, and never replaces another file.
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@testable import Keystore

@Suite struct KeystoreFileTests {
  private static func cheap() throws -> ScryptCost { try ScryptCost(n: 1_024, r: 8, p: 1) }

  private func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("keystore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    do {
      try await body(folder)
      try FileManager.default.removeItem(at: folder)
    } catch {
      try FileManager.default.removeItem(at: folder)
      throw error
    }
  }

  @Test func `a created key opens again, signs for its address, and lies in a private file`() async throws {
    try await withFolder { folder in
      let path = folder.appendingPathComponent("hot.json").path
      let passphrase = try Passphrase("correct horse battery staple")
      let address = try await Keystore.create(at: path, passphrase: passphrase, cost: Self.cheap())
      let key = try await Keystore.open(path, passphrase: passphrase)
      #expect(key.address == address)
      let txid = TxID(hashing: [1, 2, 3])
      #expect(Secp256k1.recoverAddress(digest: txid.bytes, signature: try key.sign(txid)) == address)
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["hot.json"])
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains(address.description))
      let wrong = try Passphrase("correct horse battery")
      let error = await #expect(throws: KeystoreError.self) { try await Keystore.open(path, passphrase: wrong) }
      #expect(error?.code == .wrongPassphrase)
    }
  }

  @Test func `two created keys differ in everything`() async throws {
    try await withFolder { folder in
      let passphrase = try Passphrase("same")
      var files: [EncryptedKey] = []
      for name in ["a", "b"] {
        let path = folder.appendingPathComponent(name).path
        _ = try await Keystore.create(at: path, passphrase: passphrase, cost: Self.cheap())
        files.append(try EncryptedKey(json: try KeystoreFile.read(path)))
      }
      #expect(files[0].address != files[1].address)
      #expect(files[0].iv != files[1].iv)
      #expect(files[0].derivation != files[1].derivation)
      #expect(files[0].ciphertext != files[1].ciphertext)
    }
  }

  @Test func `the standard cost is what is written by default, and opens`() async throws {
    try await withFolder { folder in
      let path = folder.appendingPathComponent("standard.json").path
      let passphrase = try Passphrase("p")
      let address = try await Keystore.create(at: path, passphrase: passphrase)
      let text = try String(contentsOfFile: path, encoding: .utf8)
      for part in ["\"n\" : 262144", "\"r\" : 8", "\"p\" : 1", "\"dklen\" : 32", "\"version\" : 3"] {
        #expect(text.contains(part))
      }
      #expect(try await Keystore.open(path, passphrase: passphrase).address == address)
    }
  }

  @Test func `an existing file is never overwritten, not even an empty one or a link`() async throws {
    try await withFolder { folder in
      let passphrase = try Passphrase("p")
      let file = folder.appendingPathComponent("file").path
      try "precious".write(toFile: file, atomically: false, encoding: .utf8)
      let link = folder.appendingPathComponent("link").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "nowhere")
      for path in [file, link] {
        let error = await #expect(throws: KeystoreError.self) {
          try await Keystore.create(at: path, passphrase: passphrase, cost: Self.cheap())
        }
        #expect(error?.code == .alreadyExists, "\(path)")
      }
      #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["file", "link"])
    }
  }

  @Test func `of many who create one file at once exactly one succeeds, and its key is in the file`() async throws {
    try await withFolder { folder in
      let path = folder.appendingPathComponent("race").path
      let passphrase = try Passphrase("p")
      let created = try await withThrowingTaskGroup(of: Address?.self) { group in
        for _ in 0..<8 {
          group.addTask {
            do throws(KeystoreError) {
              return try await Keystore.create(at: path, passphrase: passphrase, cost: ScryptCost(n: 1_024, r: 8, p: 1))
            } catch {
              #expect(error.code == .alreadyExists)
              return nil
            }
          }
        }
        return try await group.reduce(into: [Address]()) { if let address = $1 { $0.append(address) } }
      }
      #expect(created.count == 1)
      #expect(try await Keystore.open(path, passphrase: passphrase).address == created.first)
    }
  }

  @Test func `missing files, missing folders and oversized files have their own errors`() async throws {
    try await withFolder { folder in
      let passphrase = try Passphrase("p")
      let missing = folder.appendingPathComponent("missing").path
      #expect(
        await #expect(throws: KeystoreError.self) { try await Keystore.open(missing, passphrase: passphrase) }?.code
          == .notFound)
      let nowhere = folder.appendingPathComponent("no/such/folder").path
      #expect(
        await #expect(throws: KeystoreError.self) {
          try await Keystore.create(at: nowhere, passphrase: passphrase, cost: Self.cheap())
        }?.code == .fileSystem)
      let large = folder.appendingPathComponent("large").path
      for (size, reason) in [(KeystoreFile.sizeMax, "expected the JSON"), (KeystoreFile.sizeMax + 1, "more than")] {
        try Data(repeating: 0x20, count: size).write(to: URL(fileURLWithPath: large))
        let error = await #expect(throws: KeystoreError.self) { try await Keystore.open(large, passphrase: passphrase) }
        #expect(error?.code == .malformed)
        #expect(error?.reason.contains(reason) == true)
      }
      #expect(
        await #expect(throws: KeystoreError.self) {
          try await Keystore.open(folder.path, passphrase: passphrase)
        }?.code == .fileSystem)
    }
  }

  @Test func `an empty passphrase protects nothing and is refused`() async throws {
    try await withFolder { folder in
      let path = folder.appendingPathComponent("x").path
      let empty = try Passphrase("")
      let error = await #expect(throws: KeystoreError.self) { try await Keystore.create(at: path, passphrase: empty) }
      #expect(error?.code == .unsupported)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test func `eth-keyfile opens what we write and we open what it writes`() async throws {
    var generator = SeededGenerator(printedFor: "keystore")
    var lines: [String] = []
    var secrets: [String] = []
    let words = ["p", "correct horse", "pässwörd", "密码", "a\tb", String(repeating: "long", count: 40)]
    for word in words {
      let secret = Hex.text(generator.bytes(32))
      let cost = try ScryptCost(n: 1 << Int.random(in: 1...12, using: &generator), r: 8, p: 1)
      let encrypted = try EncryptedKey(PrivateKey(hex: secret), passphrase: Passphrase(word), cost: cost)
      let file = String(decoding: try encrypted.json(), as: UTF8.self)
      lines.append(String(decoding: try JSONEncoder().encode([file, word, secret]), as: UTF8.self))
      secrets.append(secret)
    }
    let answers = try await PythonScript.run(
      """
      import json, sys
      import eth_keyfile
      for line in sys.stdin:
          file, word, secret = json.loads(line)
          ours = eth_keyfile.decode_keyfile_json(json.loads(file), word.encode()).hex()
          theirs = {kdf: json.dumps(eth_keyfile.create_keyfile_json(bytes.fromhex(secret), word.encode(), kdf=kdf,
                    iterations=iterations)) for kdf, iterations in (("scrypt", 1024), ("pbkdf2", 1000))}
          print(json.dumps({"ours": ours, **theirs}))
      """, packages: ["eth-keyfile==0.8.1"], lines: lines)
    for (answer, (secret, word)) in zip(answers, zip(secrets, words)) {
      let fields = try JSONDecoder().decode([String: String].self, from: Data(answer.utf8))
      #expect(fields["ours"] == secret)
      for kdf in ["scrypt", "pbkdf2"] {
        let json = [UInt8](try #require(fields[kdf]).utf8)
        let key = try EncryptedKey(json: json).decrypted(with: Passphrase(word))
        let text = key.withBytes { bytes in bytes.withUnsafeBytes { Hex.text($0) } }
        #expect(text == secret, "\(kdf)")
      }
    }
  }

  @Test func `an existing key is stored under its own address`() async throws {
    try await withFolder { folder in
      let path = folder.appendingPathComponent("imported").path
      let passphrase = try Passphrase("p")
      let key = try PrivateKey(hex: String(repeating: "01", count: 32))
      let address = try await Keystore.store(key, at: path, passphrase: passphrase, cost: Self.cheap())
      #expect(address.description == "TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7")
      #expect(try await Keystore.open(path, passphrase: passphrase).address == address)
    }
  }
}
