import FoundationEssentials
import Keystore
import Ledger
import Payouts
import Tron

/// Declares a Signer: its journal's file and its place in the ledger (DESIGN.md §3 "Continuity").
///
/// | in the ledger, under this name | the journal's file | the wallet on chain | what is done |
/// | --- | --- | --- | --- |
/// | this journal | this one | any | nothing: it was declared before |
/// | a journal | none, or another | any | refused; where the journal is said to be lost, the file's one, or a new one, waits a quarantine to take its place |
/// | nothing | none | never signed | the journal is made, then declared |
/// | nothing | empty, this wallet's | never signed | declared: an earlier call died between the two |
/// | nothing | with entries, this wallet's | any | declared, and waits one quarantine |
/// | nothing | none, or this wallet's | has signed | declared, and waits one quarantine |
///
/// Nodes are asked only where a name is declared that the ledger does not know: a journal that takes the place of a lost one
/// waits whatever the wallet did, and begins from no block of its own. The block to begin from is read before the wallet's past: what happens between the two is then seen twice, not never.
/// Where there are several nodes, a quorum agrees on that block, and of those that have come so far a quorum must tell of
/// the past; that one of them knows one is enough. A single node that hides it would have what the wallet signed before, and
/// nobody here knows, paid a second time.
struct InitializeSigner {
  let ledger: any OperatorLedger
  let node: any TronNode
  let wallet: Address
  let signer: String
  let directory: String
  /// 16 random bytes, used where a journal is made.
  let newJournalID: [UInt8]
  /// Whether a person says that the declared journal is lost for good.
  let isJournalLost: Bool

  private var path: String { FileJournal.path(directory: directory, signer: signer) }

  /// - Throws: `Refusal` where it must not be done, `LedgerError`, `TronNodeError`, `JournalError`.
  func run() async throws -> InitializedSigner {
    let journal = try await existingJournal()
    if let declared = try await ledger.declaredJournal(of: signer) {
      guard let journal, journal.id == declared.journalID, declared.wallet == wallet else {
        guard isJournalLost, declared.wallet == wallet, journal.map({ $0.wallet == wallet }) ?? true else {
          throw lost(declared, found: journal)
        }
        return try await replaceLost(by: journal)
      }
      return InitializedSigner(signer: signer, wallet: wallet, journalPath: path, begin: nil)
    }
    if let journal, journal.wallet != wallet {
      throw Refusal(text: "the journal \(path) belongs to the wallet \(journal.wallet), the key to \(wallet)")
    }
    // Only who is declared anew needs nodes: before anything is made.
    let (begin, hasSigned) = try await beginning()
    let id = try journal?.id ?? createJournal()
    let place = BlockPlace(number: begin.number, id: begin.id, time: begin.timestamp)
    let hasPast = hasSigned || journal?.isEmpty == false
    var outcome = try await ledger.declare(
      wallet: wallet, signer: signer, journalID: id, begin: place, waits: hasPast)
    var waits = hasPast
    if outcome == .walletHasPast {
      waits = true
      outcome = try await ledger.declare(wallet: wallet, signer: signer, journalID: id, begin: place, waits: true)
    }
    switch outcome {
    case .declared:
      return InitializedSigner(
        signer: signer, wallet: wallet, journalPath: path, begin: place, waitsForQuarantine: waits)
    case .alreadyDeclared: return InitializedSigner(signer: signer, wallet: wallet, journalPath: path, begin: nil)
    case .anotherJournal, .walletHasPast:
      throw Refusal(text: "somebody else declared a journal under the name \(signer) at this moment; call again")
    }
  }

  /// The block to begin from, and whether the wallet has signed anything on the chain.
  private func beginning() async throws -> (BlockHeader, hasSigned: Bool) {
    try await node.round(of: .solid) { [wallet] round in
      let begin = try await round.newestAgreedSolidHeader(noting: DisagreementLog())
      let own = try await Self.hasSigned(wallet, by: round.node)
      let answers = try await round.answersOfQuorum(own) { node in
        guard try await node.latestHeader(.solid).number >= begin.number else { return nil }
        return try await Self.hasSigned(wallet, by: node)
      }
      return (begin, answers.contains(true))
    }
  }

  private static func hasSigned(_ wallet: Address, by node: any TronNode) async throws -> Bool {
    for view in [ChainView.head, .solid] where try await node.account(wallet, view).latestOperation != nil {
      return true
    }
    return false
  }

  /// The file's journal, or a new one, is to take the place of the declared one. What it holds itself is put back when it
  /// first vouches.
  private func replaceLost(by found: Found?) async throws -> InitializedSigner {
    let id = try found?.id ?? createJournal()
    let request = QuarantineRequest(
      signer: signer, cause: .journalLost, journalID: id, reason: "the declared journal is lost, says the operator")
    switch try await ledger.requestQuarantine(request) {
    case .requested, .standing: break
    case .notNeeded, .unknownSigner:
      throw Refusal(text: "somebody else declared a journal under the name \(signer) at this moment; call again")
    case .retiredJournal:
      throw Refusal(
        text: "the journal in \(path) is retired or another Signer's: move it away, and once another has taken its "
          + "place, 'payoutctl signer bring-journal' puts back what it holds")
    }
    return InitializedSigner(
      signer: signer, wallet: wallet, journalPath: path, begin: nil, waitsForQuarantine: true)
  }

  private struct Found {
    let id: [UInt8]
    let wallet: Address
    let isEmpty: Bool
  }

  private func existingJournal() async throws -> Found? {
    do {
      let journal = try FileJournal.open(directory: directory, signer: signer)
      return Found(id: journal.id, wallet: journal.wallet, isEmpty: try await journal.entries().isEmpty)
    } catch JournalError.missing {
      return nil
    } catch let JournalError.locked(path) {
      throw Refusal(text: "the journal \(path) is held by a running Signer: it is declared already, or stop it first")
    }
  }

  private func createJournal() throws -> [UInt8] {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try FileJournal.create(directory: directory, signer: signer, wallet: wallet, id: newJournalID)
    return newJournalID
  }

  private func lost(_ declared: DeclaredJournal, found: Found?) -> Refusal {
    let there =
      found.map { "the one in \(path) is \(Hex.text($0.id)) of the wallet \($0.wallet)" } ?? "there is none in \(path)"
    return Refusal(
      text: "the ledger knows the Signer \(signer) with the journal \(Hex.text(declared.journalID)) of the wallet "
        + "\(declared.wallet), and \(there): check SIGNER_NAME, SIGNER_STATE_DIR and the key. Where the journal "
        + "is lost for good, call this with --journal-lost: another one takes its place after a quarantine")
  }
}

/// A Signer that may start.
struct InitializedSigner: Equatable {
  let signer: String
  let wallet: Address
  let journalPath: String
  /// The block from which the chain is watched; nil where the Signer had been declared before.
  let begin: BlockPlace?
  /// Whether nothing of it is signed before a quarantine has ended.
  var waitsForQuarantine = false

  /// What the operator is told.
  var lines: [String] {
    let begin =
      begin.map { "declared; the chain is watched from block \($0.number) on" }
      ?? (waitsForQuarantine ? "has another journal, which takes the place of the lost one" : "was declared before")
    let wait =
      waitsForQuarantine
      ? ["waits   one quarantine before it may sign; start it, and see 'payoutctl quarantine'"] : []
    return ["signer  \(signer) \(begin)", "wallet  \(wallet)", "journal \(journalPath)"] + wait
  }
}
