import Testing

@testable import Devnet

/// Proves account permissions: updating them, and what each may sign (tron-protocol.md §6).
struct PermissionTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address
  private let carol = TestWallet.carol.address

  /// TransferContract and TriggerSmartContract: what a hot key of a payout wallet may do (§6).
  private static let payouts: Bytes = [0x02, 0, 0, 0x80] + Bytes(repeating: 0, count: 28)

  private func key(_ address: Address, _ weight: Int64 = 1) -> Permission.Key {
    Permission.Key(address: address.bytes, weight: weight)
  }

  private func permission(
    _ kind: Permission.Kind, _ threshold: Int64, _ keys: [Permission.Key], operations: Bytes = []
  ) -> Permission {
    Permission(
      kind: kind, id: 0, name: kind.rawValue.lowercased(), threshold: threshold,
      operations: kind == .active && operations.isEmpty ? Self.payouts : operations, keys: keys)
  }

  /// Alice's account under a cold owner (bob) and a hot active key (carol).
  private func hotWallet() throws -> TestChain {
    var test = TestChain()
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(bob)]),
      actives: [permission(.active, 1, [key(carol)])])
    let receipt = try test.include(test.signed(.accountPermissionUpdate, update.encoded)).receipt
    #expect(receipt.fee == 100_000_000 && receipt.result == .default)
    return test
  }

  private func payout(
    _ test: inout TestChain, by signers: [TestWallet], permissionID: Int32, amount: UInt64 = 5
  ) -> PreparedTransaction {
    let message = TriggerSmartContract(
      owner: alice.bytes, contract: test.chain.token.address.bytes,
      data: TokenContract.selector("transfer(address,uint256)") + Word256(bob).bytes + Word256(amount).bytes)
    var raw = test.raw(
      Contract(type: .triggerSmart, value: message.encoded, permissionID: permissionID), feeLimit: 30_000_000)
    raw.expiration = test.headTime + 600_000
    let id = Hash32.sha256(raw.encoded)
    return PreparedTransaction(
      Transaction(raw: raw, signatures: signers.map { Secp256k1.sign(id, with: $0.privateKey) }))
  }

  private func signature(_ text: String) -> Refusal {
    Refusal(code: .sigError, message: "Validate signature error: \(text)")
  }

  @Test func `a hot key pays by its permission and can do nothing else`() throws {
    var test = try hotWallet()
    let paid = try test.include(payout(&test, by: [.carol], permissionID: 2)).receipt
    #expect(paid.result == .success && paid.otherFee == 0)
    // The old key is worth nothing any more, by no permission.
    for id in [0, 2] as [Int32] {
      let old = payout(&test, by: [.alice], permissionID: id)
      #expect(
        test.broadcast(old)
          == signature("\(old.id.hex) is signed by \(alice.base58) but it is not contained of permission."))
    }
    let asOwner = payout(&test, by: [.carol], permissionID: 0)
    #expect(
      test.broadcast(asOwner)
        == signature("\(asOwner.id.hex) is signed by \(carol.base58) but it is not contained of permission."))
    #expect(test.broadcast(payout(&test, by: [.carol], permissionID: 3)) == signature("permission isn't exit"))
    #expect(test.broadcast(payout(&test, by: [.carol], permissionID: 1)) == signature("permission isn't exit"))
    let stake = StakeContract(owner: alice.bytes, amount: TestChain.trx, resource: 1)
    #expect(
      test.broadcast(test.signed(.freezeBalanceV2, stake.encoded, by: [.carol], permissionID: 2))
        == signature("Permission denied"))
    // The cold owner may do everything.
    #expect(test.broadcast(test.signed(.freezeBalanceV2, stake.encoded, by: [.bob])) == nil)
  }

  @Test func `weights add up to a threshold, in any order`() throws {
    var test = TestChain()
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(alice)]),
      actives: [permission(.active, 3, [key(alice, 2), key(bob), key(carol)])])
    _ = try test.include(test.signed(.accountPermissionUpdate, update.encoded))
    let cases: [([TestWallet], Refusal?)] = [
      ([.alice], signature("sig error")), ([.bob, .carol], signature("sig error")),
      ([.bob, .alice], nil), ([.alice, .carol], nil), ([.carol, .bob, .alice], nil),
    ]
    for (signers, expected) in cases {
      #expect(test.broadcast(payout(&test, by: signers, permissionID: 2)) == expected)
    }
    let twice = payout(&test, by: [.bob, .bob], permissionID: 2)
    #expect(test.broadcast(twice) == signature("\(bob.base58) has signed twice!"))
    let block = test.produce()
    #expect(block.transactions.count == 3)
    #expect(block.transactions.map(\.receipt.otherFee) == [1_000_000, 1_000_000, 1_000_000])
  }

  /// Ids follow the order of the list; the threshold of one permission says nothing about another.
  @Test func `active permissions are numbered from 2 in their order`() throws {
    var test = TestChain()
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(alice)]),
      actives: [
        permission(.active, 1, [key(bob)]), permission(.active, 1, [key(carol)]),
      ])
    _ = try test.include(test.signed(.accountPermissionUpdate, update.encoded))
    #expect(test.broadcast(payout(&test, by: [.bob], permissionID: 2)) == nil)
    #expect(test.broadcast(payout(&test, by: [.carol], permissionID: 3)) == nil)
    #expect(test.broadcast(payout(&test, by: [.carol], permissionID: 2))?.code == .sigError)
    let account = try #require(test.chain.account(alice, in: .head))
    let json = Rendering(isVisible: true).account(account, at: alice, headTime: test.headTime)
    guard case .array(let actives)? = json["active_permission"] else { throw TestFailure(description: json.text) }
    #expect(
      actives.map(\.text)
        == [(2, bob), (3, carol)].map { id, address in
          #"{"type":"Active","id":\#(id),"permission_name":"active","threshold":1,"operations":"02000080"#
            + String(repeating: "0", count: 56) + #"","keys":[{"address":"\#(address)","weight":1}]}"#
        })
  }

  /// What is pending under the old permissions dies with them, silently (§6).
  @Test func `an update makes what was signed before worthless, in the pool too`() throws {
    var test = TestChain()
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(bob)]),
      actives: [permission(.active, 1, [key(carol)])])
    let before = payout(&test, by: [.alice], permissionID: 0, amount: 1)
    let change = test.signed(.accountPermissionUpdate, update.encoded)
    let after = payout(&test, by: [.alice], permissionID: 0, amount: 2)
    #expect(test.broadcast(before) == nil && test.broadcast(change) == nil)
    #expect(test.broadcast(after)?.code == .sigError)
    #expect(test.produce().transactions.map(\.transaction.id) == [before.id, change.id])
    #expect(test.broadcast(after)?.code == .sigError)
    // Back to the old key: the same bytes are good again.
    let back = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(alice)]),
      actives: [permission(.active, 1, [key(alice)])])
    _ = try test.include(test.signed(.accountPermissionUpdate, back.encoded, by: [.bob]))
    #expect(test.broadcast(after) == nil)
  }

  /// What the account sent besides its update waits for the next block.
  @Test func `an update keeps other transactions of the account out of its block`() throws {
    var test = TestChain()
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(alice)]),
      actives: [permission(.active, 1, [key(alice)])])
    let change = test.signed(.accountPermissionUpdate, update.encoded)
    let later = payout(&test, by: [.alice], permissionID: 2)
    #expect(test.broadcast(change) == nil && test.broadcast(later) == nil)
    #expect(test.produce().transactions.map(\.transaction.id) == [change.id])
    #expect(test.chain.pending[later.id] != nil)
    #expect(test.produce().transactions.map(\.transaction.id) == [later.id])
  }

  @Test func `an update is refused in the words of the actuator`() throws {
    let owner = permission(.owner, 1, [key(alice)])
    let active = permission(.active, 1, [key(alice)])
    func changed(_ permission: Permission, _ change: (inout Permission) -> Void) -> Permission {
      var permission = permission
      change(&permission)
      return permission
    }
    let six = (1...6).map { key(TestWallet(UInt8($0)).address) }
    let unknownType = changed(active) { $0.operations[12] = 1 }
    let cases: [(Permission?, [Permission], String)] = [
      (nil, [active], "owner permission is missed"), (owner, [], "active permission is missed"),
      (owner, Array(repeating: active, count: 9), "active permission is too many"),
      (active, [active], "owner permission type is error"), (owner, [owner], "active permission type is error"),
      (changed(owner) { $0.keys = six }, [active], "number of keys in permission should not be greater than 5"),
      (changed(owner) { $0.keys = [] }, [active], "key's count should be greater than 0"),
      (changed(owner) { $0.threshold = 0 }, [active], "permission's threshold should be greater than 0"),
      (
        changed(owner) { $0.name = String(repeating: "n", count: 33) }, [active], "permission's name is too long"
      ),
      (changed(owner) { $0.parentID = 1 }, [active], "permission's parent should be owner"),
      (
        changed(owner) { $0.keys = [key(bob), key(bob)] }, [active],
        "address should be distinct in permission Owner"
      ),
      (
        changed(owner) { $0.keys = [Permission.Key(address: [1], weight: 1)] }, [active],
        "key is not a validate address"
      ),
      (changed(owner) { $0.keys = [key(bob, 0)] }, [active], "key's weight should be greater than 0"),
      (
        owner, [changed(active) { $0.threshold = 2 }],
        "sum of all key's weight should not be less than threshold in permission Active"
      ),
      (changed(owner) { $0.operations = Self.payouts }, [active], "Owner permission needn't operations"),
      (owner, [changed(active) { $0.operations = [1] }], "operations size must 32"),
      (owner, [unknownType], "96 isn't a validate ContractType"),
    ]
    var test = TestChain()
    for (owner, actives, text) in cases {
      let update = PermissionUpdateContract(account: alice.bytes, owner: owner, actives: actives)
      #expect(
        test.broadcast(test.signed(.accountPermissionUpdate, update.encoded)) == TestChain.invalid(text))
    }
    let witness = PermissionUpdateContract(
      account: alice.bytes, owner: owner, witness: permission(.witness, 1, [key(alice)]), actives: [active])
    #expect(
      test.broadcast(test.signed(.accountPermissionUpdate, witness.encoded))
        == TestChain.invalid("account isn't witness can't set witness permission"))
    // Eight actives of five keys each, type 46 allowed: the most there can be.
    let five = changed(active) { $0.keys = Array(six.prefix(5)) }
    let all = changed(five) { $0.operations = Permission.availableOperations }
    let largest = PermissionUpdateContract(
      account: alice.bytes, owner: owner, actives: Array(repeating: all, count: 8))
    #expect(test.broadcast(test.signed(.accountPermissionUpdate, largest.encoded)) == nil)
  }

  @Test func `an update without its 100 TRX fails when it is carried out`() {
    var test = TestChain(funds: [Genesis.Fund(address: alice, trx: 99_999_999)])
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: permission(.owner, 1, [key(alice)]),
      actives: [permission(.active, 1, [key(alice)])])
    let refusal = test.broadcast(test.signed(.accountPermissionUpdate, update.encoded))
    #expect(refusal?.code == .contractExeError)
    #expect(refusal?.message.hasPrefix("Contract execute error : ") == true)
    #expect(test.balance(alice) == 99_999_999)
  }
}
