--- Test certificates: a CA in a temporary directory, issued with the `openssl` command.


local assert = assert
local setmetatable = setmetatable
local execute = os.execute
local fmt = string.format
local format_time = os.date
local now = os.time
local open = io.open
local popen = io.popen


local DAY = 86400
local CONFIG = [[
[ca]
default_ca = this
[this]
database = index
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign, cRLSign
[req]
distinguished_name = name
[name]
]]


local Pki = {}
local Pki_mt = { __index = Pki }


local function read(path)
  local file = assert(open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end


local function write(path, text)
  local file = assert(open(path, "wb"))
  file:write(text)
  file:close()
end


local function utc(time)
  return format_time("!%Y%m%d%H%M%SZ", time)
end


--- Runs a shell command in the PKI's directory; fails with what it printed.
function Pki:run(command)
  local pipe = assert(popen(fmt("cd '%s' && { %s; } 2>&1 && echo succeeded", self.dir, command)))
  local output = pipe:read("*a")
  pipe:close()
  assert(output:find("succeeded\n$"), output)
end


--- Creates a CA in a new temporary directory.
-- @treturn table `dir`, `ca` (path) and the methods below
local function new()
  local pipe = assert(popen("mktemp --directory"))
  local dir = pipe:read("*l")
  pipe:close()

  local pki = setmetatable({ dir = dir, ca = dir .. "/ca.pem" }, Pki_mt)
  write(pki:path("openssl.cnf"), CONFIG)
  write(pki:path("index"), "")
  write(pki:path("serial"), "1000\n")
  pki:run("openssl ecparam -name prime256v1 -genkey -noout -out ca.key && " ..
          "openssl req -config openssl.cnf -x509 -new -key ca.key -days 3650 -subj '/CN=Test CA' " ..
          "-extensions authority -out ca.pem && " ..
          -- the workers of a Kong that was started by root run as another user
          "chmod 755 . && chmod 644 ca.key")
  return pki
end


--- The path of a file in the PKI's directory.
function Pki:path(name)
  return self.dir .. "/" .. name
end


--- The text of a file in the PKI's directory.
function Pki:read(name)
  return read(self:path(name))
end


--- Replaces a file in the PKI's directory in one step.
function Pki:write(name, text)
  write(self:path(name .. ".new"), text)
  assert(os.rename(self:path(name .. ".new"), self:path(name)))
end


--- Issues a certificate with a new key.
-- @tparam string name common name, and the name of the files
-- @tparam table|nil options `not_before` and `not_after` (Unix time), `extensions` ("leaf" or "authority"),
-- `common_name`
-- @treturn table `cert_file`, `key_file`, `cert`, `key`
function Pki:issue(name, options)
  options = options or {}
  self:run(fmt("openssl ecparam -name prime256v1 -genkey -noout -out '%s.key' && " ..
               "openssl req -config openssl.cnf -new -key '%s.key' -subj '/CN=%s' -out '%s.csr' && " ..
               "openssl ca -config openssl.cnf -batch -notext -in '%s.csr' -out '%s.pem' -startdate %s -enddate %s " ..
               "-extensions %s && chmod 644 '%s.key'",
               name, name, options.common_name or name, name, name, name,
               utc(options.not_before or now() - DAY), utc(options.not_after or now() + 90 * DAY),
               options.extensions or "leaf", name))
  return {
    cert_file = self:path(name .. ".pem"),
    key_file = self:path(name .. ".key"),
    cert = self:read(name .. ".pem"),
    key = self:read(name .. ".key"),
  }
end


--- Revokes a certificate.
function Pki:revoke(name)
  self:run(fmt("openssl ca -config openssl.cnf -revoke '%s.pem'", name))
end


--- Issues the CA's list of revoked certificates.
-- @treturn string its path
function Pki:issue_crl(name)
  self:run(fmt("openssl ca -config openssl.cnf -gencrl -out '%s'", name))
  return self:path(name)
end


--- Removes the directory.
function Pki:remove()
  execute(fmt("rm -r '%s'", self.dir))
end


return { new = new }
