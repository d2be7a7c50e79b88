import { X509Certificate } from "node:crypto";
import { Command } from "commander";
import type { CliContext } from "../../context.ts";
import { requireWritable } from "../../deps.ts";
import { shQuoted } from "./client-env.ts";
import { homeAuthority, proxyFiles } from "./proxy-home.ts";

const help = `
Programs that are started with \`tracemill proxy env\` or \`tracemill proxy exec\` trust this certificate already, and
nothing else does. Put it into a trust store only for programs that read no such variable, and take it out again
afterwards: whoever has the key beside it could then read what this machine says to any site.`;

/** `tracemill proxy ca`. */
export function caCommand(context: CliContext): Command {
  return new Command("ca")
    .description("print the proxy's certificate authority, and how to trust it, and how to undo that")
    .option("--json", "one JSON line")
    .addHelpText("after", help)
    .action(() => printAuthority(context));
}

async function printAuthority(context: CliContext): Promise<void> {
  const { home, out } = context;
  await requireWritable(home);
  const { authority, bundle } = await homeAuthority(context);
  const { file, fingerprint, notAfter } = authority;
  const name = commonName(authority.certificate);
  out.event({ file, bundle, fingerprint, name, notAfter: notAfter.toISOString() });
  out.text(`certificate  ${file}`);
  out.text(`name         ${name}`);
  out.text(`sha-256      ${fingerprint}`);
  out.text(`valid until  ${notAfter.toISOString().slice(0, 10)}`);
  out.text(`bundle       ${bundle}   (what this machine trusts, and this certificate)`);
  out.text(`key          ${proxyFiles(home).authority}   (for your user alone: keep it so)`);
  for (const { title, trust, undo } of places(file, name)) {
    out.text(`\n${title}`);
    for (const line of trust) out.text(`  ${line}`);
    out.text("undo");
    for (const line of undo) out.text(`  ${line}`);
  }
}

interface Place {
  title: string;
  trust: string[];
  undo: string[];
}

function places(file: string, name: string): Place[] {
  const path = shQuoted(file);
  return [
    {
      title: "one shell: bash, zsh, sh (nothing else on this machine changes)",
      trust: ['eval "$(tracemill proxy env)"'],
      undo: ['eval "$(tracemill proxy env --unset)"'],
    },
    {
      title: "one shell: fish",
      trust: ["tracemill proxy env --shell fish | source"],
      undo: ["tracemill proxy env --shell fish --unset | source"],
    },
    {
      title: "macOS, for your user",
      trust: [`security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ${path}`],
      undo: [`security remove-trusted-cert ${path}`, `security delete-certificate -c ${shQuoted(name)}`],
    },
    {
      title: "Debian, Ubuntu: for the whole machine",
      trust: [
        `sudo cp ${path} /usr/local/share/ca-certificates/tracemill-capture.crt`,
        "sudo update-ca-certificates",
      ],
      undo: [
        "sudo rm /usr/local/share/ca-certificates/tracemill-capture.crt",
        "sudo update-ca-certificates --fresh",
      ],
    },
    {
      title: "Fedora, RHEL: for the whole machine",
      trust: [
        `sudo cp ${path} /etc/pki/ca-trust/source/anchors/tracemill-capture.pem`,
        "sudo update-ca-trust",
      ],
      undo: ["sudo rm /etc/pki/ca-trust/source/anchors/tracemill-capture.pem", "sudo update-ca-trust"],
    },
  ];
}

function commonName(certificate: string): string {
  return /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? "";
}
