# Issues an invoice for each purchase: reads one event a line, answers each with one line, a list of events.
field() { # the field $1 of the JSON object in $data: enough for flat ones; jq reads them all
  value=${data#*"\"$1\":"}
  value=${value%%[,\}]*}
}

while IFS= read -r event; do
  data=${event##*\"data\":}
  field id && id=$value
  field user && user=$value
  field total && total=$value
  echo "invoice for $user" >&2 # stderr goes to the log: eda logs
  printf '[{"data":{"purchase":%s,"user":%s,"total":%s}}]\n' "$id" "$user" "$total"
done
