// Turns the conformance suite of CEL, as the npm package @bufbuild/cel-spec carries it, into what tests/conformance/cel_conformance.c reads:
// types.bin, a FileDescriptorSet, and cases.txt, words in lines. Texts and bytes are in hexadecimal.
//
// Values are words one after another: n; b 0; i 5; u 5; d bits; s text; y bytes; l count items; m count keys and values; o type bytes; t type;
// x when there is no such value here.
import { writeFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { getTestRegistry } from "@bufbuild/cel-spec/testdata/registry.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex") || "-";
const text = (string) => hex(Buffer.from(string, "utf8"));

function bits(number) {
    const buffer = Buffer.alloc(8);
    buffer.writeDoubleBE(number);
    return buffer.toString("hex");
}

function value(v) {
    const { case: kind, value: of } = v.kind;
    switch (kind) {
        case "nullValue": return "n";
        case "boolValue": return `b ${of ? 1 : 0}`;
        case "int64Value": return `i ${of}`;
        case "uint64Value": return `u ${of}`;
        case "doubleValue": return `d ${bits(of)}`;
        case "stringValue": return `s ${text(of)}`;
        case "bytesValue": return `y ${hex(of)}`;
        case "listValue": return [`l ${of.values.length}`, ...of.values.map(value)].join(" ");
        case "mapValue": return [`m ${of.entries.length}`, ...of.entries.flatMap((e) => [value(e.key), value(e.value)])].join(" ");
        case "objectValue": return `o ${of.typeUrl.replace(/^.*\//, "")} ${hex(of.value)}`;
        case "typeValue": return `t ${of}`;
        default: return "x";
    }
}

const primitives = ["dyn", "bool", "int", "uint", "double", "string", "bytes"];
const wellKnown = ["dyn", "dyn", "google.protobuf.Timestamp", "google.protobuf.Duration"];

function type(t) {
    const { case: kind, value: of } = t.typeKind;
    switch (kind) {
        case "dyn": return "dyn";
        case "null": return "null_type";
        case "primitive": return primitives[of];
        case "wrapper": return `wrapper(${primitives[of]})`;
        case "wellKnown": return wellKnown[of];
        case "listType": return `list(${type(of.elemType)})`;
        case "mapType": return `map(${type(of.keyType)},${type(of.valueType)})`;
        case "messageType": return of;
        case "type": return of.typeKind.case === undefined ? "type" : `type(${type(of)})`;
        case "abstractType": return of.parameterTypes.length ? `${of.name}(${of.parameterTypes.map(type).join(",")})` : of.name;
        default: return "?";
    }
}

// The items of a list's text, cut at its commas.
function items(list) {
    const found = [];
    let depth = 0, quote = "", first = 0;
    for (let i = 0; i < list.length; i++) {
        const c = list[i];
        if (quote) {
            if (c === "\\") i++;
            else if (c === quote) quote = "";
        } else if (c === "'" || c === '"') quote = c;
        else if ("([{".includes(c)) depth++;
        else if (")]}".includes(c)) depth--;
        else if (c === "," && depth === 0) {
            found.push(list.slice(first, i));
            first = i + 1;
        }
    }
    found.push(list.slice(first));
    return found;
}

// cel.block, cel.index and cel.iterVar are for tests alone: written as names that cel.bind gives, one within another.
function withoutBlocks(expr) {
    const names = expr.replace(/cel\.index\((\d+)\)/g, "index$1").replace(/cel\.iterVar\((\d+), (\d+)\)/g, "it$1_$2");
    const block = /^cel\.block\((.*)\)$/s.exec(names);
    if (block === null) return names;
    const [list, result] = items(block[1]);
    const bound = items(list.trim().slice(1, -1));
    return bound.reduceRight((inner, item, i) => `cel.bind(index${i}, ${item}, ${inner})`, result);
}

function write(test, path, out) {
    const t = test.original;
    const names = new Map();
    out.push(`case ${path}/${test.name.replace(/\s/g, "_")}`, `expr ${text(withoutBlocks(t.expr))}`);
    if (t.container) out.push(`container ${t.container}`);
    if (t.disableCheck) out.push("unchecked");
    if (t.checkOnly) out.push("checkonly");
    for (const decl of t.typeEnv) {
        if (decl.declKind.case === "ident") names.set(decl.name, [type(decl.declKind.value.type), "x"]);
        else out.push("function");
    }
    for (const [name, bound] of Object.entries(t.bindings)) {
        const declared = names.get(name) ?? ["dyn"];
        names.set(name, [declared[0], bound.kind.case === "value" ? value(bound.kind.value) : "x"]);
    }
    for (const [name, [declared, bound]] of names) out.push(`name ${name} ${declared} ${bound}`);
    const { case: kind, value: wanted } = t.resultMatcher;
    if (kind === "value") out.push(`value ${value(wanted)}`);
    else if (kind === "typedResult") {
        if (wanted.result) out.push(`value ${value(wanted.result)}`);
        if (wanted.deducedType) out.push(`type ${type(wanted.deducedType)}`);
    } else if (kind === "evalError" || kind === "anyEvalErrors") out.push("error");
    else if (kind === undefined) out.push("value b 1");
    else out.push("value x");
    out.push("end");
}

function walk(suite, path, out) {
    for (const test of suite.tests) write(test, path, out);
    for (const inner of suite.suites) walk(inner, `${path}/${inner.name}`, out);
}

function descriptors() {
    const files = new Map();
    const add = (file) => {
        if (files.has(file.name)) return;
        file.dependencies.forEach(add);
        files.set(file.name, file.proto);
    };
    for (const found of getTestRegistry().files) add(found);
    return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values()] }));
}

const out = [];
for (const suite of getConformanceSuite().suites) walk(suite, suite.name, out);
writeFileSync("cases.txt", out.join("\n") + "\n");
writeFileSync("types.bin", descriptors());
