'use strict';
const $ = id => document.getElementById(id), rows = [...document.querySelectorAll('#pcs tr.pc')];
const query = $('q'), fields = {v: $('fv'), m: $('fm'), y: $('fy')};
const page = 200;
let limit = page;
const text = rows.map(r => (r.textContent + ' ' + r.dataset.d.split(' ').map(i => i && D[i] ?
	D[i][4] === 'ok' ? '' : D[i].join(' ') : '').join(' ')).toLowerCase());
for (const key of ['m', 'y']) {
	const values = [...new Set(rows.map(r => r.dataset[key]).filter(x => x))].sort();
	for (const value of values)
		fields[key].add(new Option(value));
}
function el(name, content, cls) {
	const e = document.createElement(name);
	if (content !== undefined)
		e.textContent = content;
	if (cls)
		e.className = cls;
	return e;
}
function filter() {
	const words = query.value.toLowerCase().split(/\s+/).filter(w => w);
	let found = 0;
	rows.forEach((row, i) => {
		const fits = words.every(w => text[i].includes(w)) &&
			Object.entries(fields).every(([k, f]) => !f.value || row.dataset[k] === f.value);
		if (fits)
			found++;
		row.hidden = !fits || found > limit;
		if (row.open)
			row.open.hidden = row.hidden;
	});
	$('n').textContent = found + ' of ' + rows.length + ' PCs';
	$('more').hidden = found <= limit;
	$('more').textContent = 'Show all ' + found;
}
function detail(row) {
	const tr = el('tr', undefined, 'detail'), td = el('td'), table = el('table'), body = el('tbody');
	td.colSpan = 4;
	if (row.dataset.i)
		td.append(el('p', row.dataset.i));
	const devices = row.dataset.d.split(' ').filter(x => x).map(i => D[i]);
	const order = ['blocked', 'missing', 'generic', 'unknown', 'ok'];
	const roles = ['boot-storage', 'network', 'wireless', 'display', 'input', 'usb', 'audio'];
	const place = d => (roles.indexOf(d[0]) + 99) % 99 + (d[0] === 'system' || d[0] === 'other' ? 99 : 0);
	devices.sort((a, b) => order.indexOf(a[4]) - order.indexOf(b[4]) || place(a) - place(b));
	for (const d of devices) {
		const line = el('tr'), id = el('td');
		id.append(el('code', d[1]));
		if (d[2])
			id.append(el('small', d[2]));
		line.append(el('td', d[4], d[4]), el('td', d[0]), id, el('td', d[3]), el('td', d[5]));
		body.append(line);
	}
	if (!devices.length)
		td.append(el('p', 'The inventory lists no devices.'));
	const head = el('tr');
	for (const name of ['', 'Role', 'Device', 'Driver', ''])
		head.append(el('th', name));
	const top = el('thead');
	top.append(head);
	table.append(top, body);
	if (devices.length)
		td.append(table);
	tr.append(td);
	return tr;
}
function toggle(row) {
	if (row.open) {
		row.open.remove();
		row.open = null;
	} else {
		row.open = detail(row);
		row.after(row.open);
	}
	row.setAttribute('aria-expanded', !!row.open);
}
$('pcs').addEventListener('click', e => {
	const row = e.target.closest('tr.pc');
	if (row && !String(getSelection()))
		toggle(row);
});
$('pcs').addEventListener('keydown', e => {
	if ((e.key === 'Enter' || e.key === ' ') && e.target.matches('tr.pc')) {
		e.preventDefault();
		toggle(e.target);
	}
});
document.querySelectorAll('svg g.pick').forEach(g => g.addEventListener('click', () => {
	const f = fields[g.dataset.k];
	f.value = f.value === g.dataset.x ? '' : g.dataset.x;
	limit = page;
	filter();
	$('list').scrollIntoView({behavior: 'smooth'});
}));
function changed() {
	limit = page;
	filter();
}
query.addEventListener('input', changed);
Object.values(fields).forEach(f => f.addEventListener('change', changed));
$('more').addEventListener('click', () => {
	limit = Infinity;
	filter();
});
/* A link may carry a filter, and open the first PC: #q=latitude&open */
const hash = new URLSearchParams(location.hash.slice(1));
for (const [k, f] of [['q', query], ...Object.entries(fields)])
	if (hash.has(k))
		f.value = hash.get(k);
filter();
if (hash.has('open')) {
	const first = rows.find(r => !r.hidden);
	if (first)
		toggle(first);
}
