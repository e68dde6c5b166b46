/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_rig.h"
int main(void){
 rig_begin();
 SCENARIO("first light"){
  rig_t rig; rig_open(&rig,"a.bitrace",1); rig_send(&rig,5000); rig_close(&rig);
  bitactor_verify_report_t report; bitactor_error_t error={0};
  CHECK_EQ(bitactor_trace_verify(rig_path("a.bitrace",NULL),NULL,&report,&error),BITACTOR_OK);
  printf("%s\nsegments %lu records %lu compared %lu signals %lu rejects %lu outputs %lu failed %lu overruns %lu\n",error.text,report.segments,report.records,report.compared,report.signals,report.rejects,report.outputs,report.failed,report.overruns);
  char cmd[500]; snprintf(cmd,sizeof cmd,"rm -rf /tmp/h-trace/a.bitrace; cp -r %s /tmp/h-trace/; find %s | xargs ls -lad",rig_path("a.bitrace",NULL),rig_path("a.bitrace",NULL)); (void)!system(cmd);
  rig_end(&rig);
 }
 return bdd_close();
}
