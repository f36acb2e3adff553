local new_pki = require("kong.spec.pki").new
local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: pem", function()
  local pki, pem, client, other

  lazy_setup(function()
    stand_ins.reset()
    pem = require "kong.plugins.upstream-mtls.pem"
    pki = new_pki()
    client = pki:issue("kong-client", { not_before = 1600000000, not_after = 2000000000 })
    other = pki:issue("other")
  end)

  lazy_teardown(function()
    pki:remove()
  end)

  describe("client certificates", function()
    it("have the leaf's common name, lifetime and fingerprint", function()
      local certificate = assert(pem.parse_client_certificate(client.cert, client.key))

      assert.equal("kong-client", certificate.common_name)
      assert.equal(1600000000, certificate.not_before)
      assert.equal(2000000000, certificate.not_after)
      assert.matches("^" .. ("%x"):rep(64) .. "$", certificate.fingerprint)
      assert.truthy(certificate.chain)
      assert.truthy(certificate.key)
    end)

    it("take the leaf from the beginning of a chain", function()
      local chain = client.cert .. pki:read("ca.pem")
      local certificate = assert(pem.parse_client_certificate(chain, client.key))

      assert.equal("kong-client", certificate.common_name)
      -- the chain is part of what is presented
      local leaf_only = assert(pem.parse_client_certificate(client.cert, client.key))
      assert.not_equal(leaf_only.digest, certificate.digest)
    end)

    it("have equal digests for equal chain and key only", function()
      local one = assert(pem.parse_client_certificate(client.cert, client.key))
      local again = assert(pem.parse_client_certificate("a comment\n" .. client.cert, client.key))
      local another = assert(pem.parse_client_certificate(other.cert, other.key))

      assert.equal(one.digest, again.digest)
      assert.not_equal(one.digest, another.digest)
    end)

    it("reject a chain that starts with the CA", function()
      local certificate, err = pem.parse_client_certificate(pki:read("ca.pem") .. client.cert, client.key)
      assert.is_nil(certificate)
      assert.matches("Test CA", err)
    end)

    it("reject the key of another certificate, and name the certificate", function()
      local certificate, err = pem.parse_client_certificate(client.cert, other.key)
      assert.is_nil(certificate)
      assert.matches("kong%-client", err)
    end)

    it("reject a public key", function()
      pki:run("openssl pkey -in kong-client.key -pubout -out public.key")
      local certificate, err = pem.parse_client_certificate(client.cert, pki:read("public.key"))
      assert.is_nil(certificate)
      assert.matches("^key: ", err)
    end)

    it("reject an encrypted key without asking for its passphrase", function()
      pki:run("openssl pkey -in kong-client.key -aes-256-cbc -passout pass:secret -out encrypted.key")
      local certificate, err = pem.parse_client_certificate(client.cert, pki:read("encrypted.key"))
      assert.is_nil(certificate)
      assert.matches("^key: .*encrypted", err)
    end)

    it("reject a truncated chain, and say which certificate it is", function()
      local chain = client.cert .. pki:read("ca.pem"):sub(1, 100)
      local certificate, err = pem.parse_client_certificate(chain, client.key)
      assert.is_nil(certificate)
      assert.matches("^chain: certificate 2 ", err)
    end)

    it("reject a corrupt certificate, and say which one it is", function()
      local corrupt = pki:read("ca.pem"):gsub("\n....", "\n!!!!", 1)
      local certificate, err = pem.parse_client_certificate(client.cert .. corrupt, client.key)
      assert.is_nil(certificate)
      assert.matches("^chain: certificate 2 ", err)
    end)

    for _, text in ipairs({ "", "no PEM", "-----BEGIN PRIVATE KEY-----" }) do
      it("reject as a chain: '" .. text .. "'", function()
        local certificate, err = pem.parse_client_certificate(text, client.key)
        assert.is_nil(certificate)
        assert.matches("^chain: ", err)
      end)
    end

    it("never repeat a key in an error", function()
      local secret = other.key:match("\n(%S+)\n")
      for _, chain in ipairs({ client.cert, other.key, secret }) do
        for _, key in ipairs({ other.key, secret, other.key:sub(1, 90) }) do
          local _, err = pem.parse_client_certificate(chain, key)
          assert.is_string(err)
          assert.is_nil(err:find(secret:sub(1, 20), 1, true))
        end
      end
    end)
  end)

  describe("trust anchors", function()
    it("have the earliest end of all of them", function()
      pki:issue("early", { not_after = 1900000000, extensions = "authority" })
      local ca, early = pki:read("ca.pem"), pki:read("early.pem")
      for _, text in ipairs({ ca .. early, early .. ca }) do
        local anchors = assert(pem.parse_anchors(text))
        assert.equal(2, #anchors.certificates)
        assert.equal(1900000000, anchors.not_after)
      end
    end)

    it("reject a certificate that is not a CA, and name it", function()
      local anchors, err = pem.parse_anchors(pki:read("ca.pem") .. client.cert)
      assert.is_nil(anchors)
      assert.matches("certificate 2 %(kong%-client%)", err)
    end)

    it("accept any certificate of a system's bundle", function()
      local anchors = assert(pem.parse_anchors(pki:read("ca.pem") .. client.cert, true))
      assert.equal(2, #anchors.certificates)
    end)

    it("reject a text without certificates", function()
      local anchors, err = pem.parse_anchors("")
      assert.is_nil(anchors)
      assert.is_string(err)
    end)

    it("have another digest for another CA", function()
      pki:issue("second", { extensions = "authority" })
      local one = assert(pem.parse_anchors(pki:read("ca.pem")))
      local both = assert(pem.parse_anchors(pki:read("ca.pem") .. pki:read("second.pem")))

      assert.not_equal(one.digest, both.digest)
    end)
  end)

  describe("revocation lists", function()
    it("are parsed with their next update", function()
      pki:issue_crl("crl.pem")
      local revocations = assert(pem.parse_revocations(pki:read("crl.pem")))

      assert.equal(1, #revocations.lists)
      assert.is_true(revocations.not_after > os.time())
    end)

    it("change the digest of the anchors that they are used with", function()
      pki:issue_crl("crl.pem")
      local anchors = assert(pem.parse_anchors(pki:read("ca.pem")))
      local revocations = assert(pem.parse_revocations(pki:read("crl.pem")))
      local checked = assert(pem.with_revocations(anchors, revocations))

      assert.not_equal(anchors.digest, checked.digest)
      assert.equal(anchors.not_after, checked.not_after)
    end)

    it("reject certificates and truncated lists", function()
      pki:issue_crl("crl.pem")
      for _, text in ipairs({ "", pki:read("ca.pem"), pki:read("crl.pem"):sub(1, 120) }) do
        local revocations, err = pem.parse_revocations(text)
        assert.is_nil(revocations)
        assert.is_string(err)
      end
    end)
  end)
end)
