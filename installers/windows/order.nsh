; Which of two versions is the newer one, as engine/manifest.py has it. skein.nsi includes it.

; $R0: a version. $R0 := its numbers; $R1 := what follows them, as a number: a1 < b1 < rc1 < nothing.
Function SplitVersion
  StrCpy $R1 4000000
  StrLen $R2 $R0
  ${For} $R3 0 $R2
    StrCpy $R4 $R0 1 $R3
    IntOp $R5 $R3 + 1
    ${Select} $R4
      ${Case} "a"
        StrCpy $R1 1000000
      ${Case} "b"
        StrCpy $R1 2000000
      ${Case} "r"
        StrCpy $R1 3000000
        IntOp $R5 $R5 + 1
    ${EndSelect}
    ${If} $R1 <> 4000000
      StrCpy $R5 $R0 "" $R5
      IntOp $R1 $R1 + $R5
      StrCpy $R0 $R0 $R3
      Return
    ${EndIf}
  ${Next}
FunctionEnd

; $R0 := "1" when $Current is newer than this version. (VersionCompare alone knows no candidates.)
Function IsNewer
  StrCpy $R0 "${VERSION}"
  Call SplitVersion
  Push $R1
  Push $R0
  StrCpy $R0 $Current
  Call SplitVersion
  Pop $R2
  Pop $R3
  ${VersionCompare} "$R0" "$R2" $R0
  ${If} $R0 == 0
  ${AndIf} $R1 > $R3
    StrCpy $R0 1
  ${EndIf}
FunctionEnd
