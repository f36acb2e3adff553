local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: certificate_references", function()
  local world, references, rows, plugins, hooks, database_error

  local function load(changes)
    world = stand_ins.reset({ role = changes and changes.role })
    -- resty, which runs these specs inside of Kong, is a command, too
    ngx.IS_CLI = changes and changes.is_cli or false
    rows, plugins, hooks, database_error = { known = true }, {}, {}, nil
    local dao = {
      select = function(_, primary_key)
        if database_error then
          return nil, database_error
        end

        return rows[primary_key.id] and { id = primary_key.id }
      end,
      errors = {
        database_error = function(_, err) return { code = "database", message = err } end,
        referenced_by_others = function(_, message) return { code = "referenced", message = message } end,
      },
    }
    world.kong.db = {
      strategy = changes and changes.strategy or "postgres",
      certificates = dao,
      ca_certificates = dao,
      plugins = {
        each = function()
          local i = 0
          return function()
            i = i + 1
            return plugins[i]
          end
        end,
      },
    }
    stand_ins.replace("kong.hooks", {
      register_hook = function(name, fn)
        hooks[name] = fn
      end,
    })
    references = require "kong.plugins.upstream-mtls.certificate_references"
  end

  before_each(function()
    load()
  end)

  describe("ids in a config", function()
    for _, entities in ipairs({ "certificates", "ca_certificates" }) do
      it("of " .. entities .. " must exist", function()
        local exists = references.exists(entities)
        assert.is_true(exists("known"))
        local ok, err = exists("unknown")
        assert.is_nil(ok)
        assert.matches(entities .. ".*unknown", err)
      end)
    end

    it("are rejected when the database cannot be read", function()
      database_error = "no database"
      local ok, err = references.exists("certificates")("known")
      assert.is_nil(ok)
      assert.matches("no database", err)
    end)

    for name, changes in pairs({
      ["without a database"] = { strategy = "off" },
      ["on a data plane"] = { role = "data_plane" },
      ["by a command of Kong's"] = { is_cli = true },
    }) do
      it("are not looked up " .. name, function()
        load(changes)
        assert.is_true(references.exists("certificates")("unknown"))
      end)
    end
  end)

  describe("deletion", function()
    local CERTIFICATE = { id = "known" }
    local CONFIG = { client_certificates = { { certificate = CERTIFICATE } } }
    local USER = { id = "p", name = "upstream-mtls", config = CONFIG }

    before_each(function()
      references.protect()
    end)

    local function delete(schema)
      return hooks["dao:delete:pre"](CERTIFICATE, schema or "certificates")
    end

    it("of a certificate that a config names is rejected", function()
      plugins = { USER }
      local ok, err = delete()
      assert.is_nil(ok)
      assert.equal("referenced", err.code)
      assert.matches("known.*p", err.message)
    end)

    it("of another certificate is not", function()
      plugins = {
        { id = "p", name = "upstream-mtls", config = { client_certificates = { { certificate = { id = "x" } }, {} } } },
        { id = "q", name = "other", config = CONFIG },
      }
      assert.equal(CERTIFICATE, delete())
    end)

    it("of other entities is not", function()
      plugins = { USER }
      assert.equal(CERTIFICATE, delete("consumers"))
    end)
  end)
end)
